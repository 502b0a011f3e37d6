"""docs/integrations.md on a small site: its tags in a browser, its proxy rules, and the very lines for Caddy and nginx."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.e2e.held_site import HeldSite
from tests.e2e.sample_site import SampleSite
from tests.e2e.stack import ROOT, Stack, free_port, picture

GUIDE = (ROOT / "docs" / "integrations.md").read_text()
NATURAL = "images => images.map(image => [image.complete, image.naturalWidth, image.naturalHeight])"


@pytest.fixture(scope="module")
def sample(oven: Stack) -> Iterator[SampleSite]:
    with SampleSite(oven.base) as site:
        yield site


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_guide_s_tags_show_pictures_of_the_said_sizes(oven: Stack, sample: SampleSite, chromium: Browser) -> None:
    """The documentation's own HTML, with our names in place of its own."""
    images, meta = ("\n".join(blocks("html")[n].splitlines()) for n in (0, 1))
    text = f"<!doctype html><head>{meta}</head><body>{images}</body>".replace("bloom", "anim~tag")
    sample.pages["/page"] = text.replace("https://oven.example", oven.base)
    page = chromium.new_page()
    page.goto(f"{sample.origin}/page", wait_until="networkidle")
    assert page.locator("img").evaluate_all(NATURAL) == [[True, 128, 128], [True, 128, 128]]
    assert page.locator("picture img").evaluate("image => image.currentSrc").endswith(".webp")
    card = page.locator("meta[property='og:image']").get_attribute("content")
    width, height = (
        page.locator(f"meta[property='og:image:{side}']").get_attribute("content") for side in ("width", "height")
    )
    assert card and width and height
    warm = httpx.head(card, follow_redirects=True, timeout=60)
    assert warm.status_code == 200
    assert picture(httpx.get(card, follow_redirects=True)).size == (int(width), int(height))
    page.close()


def test_a_script_of_the_site_reads_the_pixels(oven: Stack, sample: SampleSite, chromium: Browser) -> None:
    sample.pages["/script"] = "<!doctype html><canvas></canvas>"
    page = chromium.new_page()
    page.goto(f"{sample.origin}/script")
    read = """async (url) => {
      const response = await fetch(url);
      const bitmap = await createImageBitmap(await response.blob());
      return [response.status, response.redirected, response.headers.get("x-cache"), bitmap.width, bitmap.height];
    }"""
    url = f"{oven.base}/icon/40x30/anim.png"
    assert page.evaluate(read, url) == [200, False, "MISS", 40, 30]
    assert page.evaluate(read, f"{url}?again") == [200, False, "HIT", 40, 30]
    page.close()


def check_rule(origin: str, site: HeldSite, piece: str) -> None:
    """Path, query, status, redirects and method pass a proxy."""
    with httpx.Client(base_url=origin, timeout=60) as http:
        path = f"/icon/48x48/{piece}.webp?frames=3&fps=10"
        first = http.get(path)
        assert picture(first).size == (48, 48)
        assert getattr(picture(first), "n_frames", 1) == 3
        hit = http.get(path)
        assert (hit.status_code, hit.headers["x-cache"]) == (302, "HIT")
        assert "-f3-fps10-" in hit.headers["location"]
        assert httpx.get(f"{origin}{hit.headers['location']}").content == first.content
        assert http.head(path, follow_redirects=True).status_code == 200
        assert http.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
        assert http.get("/icon/48/x.png").json()["field"] == "size"
        before = site.count(f"/@user/{piece}?")
        assert http.get(f"/icon/48x48/%40user%2F{piece}.png").status_code == 500  # it arrived as one name
        assert site.count(f"/@user/{piece}?") == before + 1
        assert http.get(f"/icon/48x48/user/{piece}.png").status_code == 404


def test_a_proxy_rule_passes_everything(oven: Stack, sample: SampleSite, site: HeldSite, chromium: Browser) -> None:
    check_rule(sample.origin, site, "anim~passed")
    sample.pages["/own"] = '<img src="/icon/48x48/anim~own.png"><img src="/preview/320x160/anim~own.png">'
    for _ in range(2):  # captured, then redirected; each page has a cache of its own
        page = chromium.new_page()
        page.goto(f"{sample.origin}/own", wait_until="networkidle")
        assert page.locator("img").evaluate_all(NATURAL) == [[True, 48, 48], [True, 320, 160]]
        page.close()
    assert ("/preview/320x160/anim~own.png", 302) in sample.passed


def caddy(oven: Stack, port: int, folder: Path) -> list[str]:
    text = blocks("caddy")[0].replace("site.example", f"http://127.0.0.1:{port}")
    text = text.replace("oven.internal:3002", f"127.0.0.1:{oven.port}").replace("/srv/site", str(folder))
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def nginx(oven: Stack, port: int, folder: Path) -> list[str]:
    text = blocks("nginx")[0].replace("listen 80", f"listen 127.0.0.1:{port}").replace("site.example", "_")
    text = text.replace("oven.internal:3002", f"127.0.0.1:{oven.port}").replace("/srv/site", str(folder))
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"daemon off; user root; pid {folder}/pid; error_log stderr; events {{}}"
    (folder / "nginx.conf").write_text(f"{main}\nhttp {{ access_log off; {temporary}\n{text}\n}}")
    return ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


@pytest.mark.parametrize("command", [caddy, nginx], ids=lambda command: command.__name__)
def test_the_guide_s_rules_work_in_the_servers_that_they_are_for(
    oven: Stack, site: HeldSite, tmp_path: Path, command: object
) -> None:
    name = command.__name__  # type: ignore[attr-defined]
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed here")
    port = free_port()
    with subprocess.Popen(command(oven, port, tmp_path), cwd=tmp_path) as process:  # type: ignore[operator]
        try:
            oven.until(lambda: answers(port))
            check_rule(f"http://127.0.0.1:{port}", site, f"anim~{name}")
        finally:
            process.terminate()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code > 0
    except httpx.TransportError:
        return False
