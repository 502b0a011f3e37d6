"""Icons, previews, store screenshots and several files of one load, through the whole service."""

from __future__ import annotations

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack, frames, picture

SIX = {
    "phone/{}-phone-portrait.png": (1080, 1920),
    "phone/{}-phone-landscape.png": (1920, 1080),
    "tablet7/{}-tablet7-portrait.png": (1200, 1920),
    "tablet7/{}-tablet7-landscape.png": (1920, 1200),
    "tablet10/{}-tablet10-portrait.png": (1600, 2560),
    "tablet10/{}-tablet10-landscape.png": (2560, 1600),
}


def assert_miss(response: httpx.Response, size: tuple[int, int], max_age: int, mime: str = "image/png") -> None:
    assert picture(response).size == size
    assert response.headers["content-type"] == mime
    assert (response.headers["x-cache"], response.headers["cache-control"]) == ("MISS", f"public, max-age={max_age}")
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.headers["etag"] and response.headers["x-content-type-options"] == "nosniff"


# --- icons and previews ---------------------------------------------------------------------------------------------


def test_check_13_icons_and_previews_have_their_caps_and_then_their_cache(oven: Stack) -> None:
    """Check 13 of grabs."""
    assert_miss(oven.get("/icon/600x600/anim.png"), (512, 512), 3600)
    again = oven.get("/icon/600x600/anim.png")
    assert (again.status_code, again.headers["x-cache"]) == (302, "HIT")
    assert again.headers["cache-control"] == "public, max-age=86400"
    assert "/oven/icons/anim-512x512-" in again.headers["location"]
    assert_miss(oven.get("/icon/256x256/anim.webp?frames=4&fps=8"), (128, 128), 86400, "image/webp")
    assert_miss(oven.get("/preview/4000x4000/anim.png"), (1920, 1080), 3600)


def test_check_16_head_captures_and_the_name_is_one_raw_segment(oven: Stack, site: HeldSite) -> None:
    """Check 16 of the REST contract."""
    path = "/preview/1200x630/%24roz.png"
    loads = site.count("/$roz?density=4&")
    head = oven.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert (head.headers["content-type"], int(head.headers["content-length"]) > 1000) == ("image/png", True)
    get = oven.get(path, follow_redirects=True)
    assert picture(get).size == (1200, 630)
    assert site.count("/$roz?density=4&") == loads + 1
    assert oven.http.head(path, follow_redirects=True).status_code == 200
    before = site.count("/@user/piece?")
    answer = oven.get("/icon/128x128/%40user%2Fpiece.png")  # the site has no such piece
    assert (answer.status_code, answer.json()["code"]) == (500, "http_status")
    assert oven.grab(answer.json()["grabId"])["piece"] == "@user/piece"
    assert site.count("/@user/piece?") == before + 1
    assert oven.get("/icon/128x128/user/piece.png").status_code == 404


@pytest.mark.parametrize("name", ["anim~wipe", "Anim~wipe"])
def test_a_name_with_parameters_keeps_them_and_its_case(oven: Stack, site: HeldSite, name: str) -> None:
    before = site.count(f"/{name}?")
    answer = oven.get(f"/ICON/32x32/{name}.PNG")
    assert answer.status_code == (200 if name == "anim~wipe" else 500)
    assert site.count(f"/{name}?") == before + 1


def test_an_animated_icon_has_the_frames_and_the_speed_that_were_asked_for(oven: Stack) -> None:
    shown = frames(oven.get("/icon/48x32/anim.webp?frames=6&fps=10"))
    assert len(shown) == 6
    assert shown[0][0].size == (48, 32)
    assert {duration for _, duration in shown} == {100}
    repeat = oven.get("/icon/48x32/anim.webp?frames=6&fps=10")
    assert repeat.headers["cache-control"] == "public, max-age=604800"
    assert "/oven/animated-icons/anim-48x32-f6-fps10-" in repeat.headers["location"]
    assert oven.get("/icon/48x32/anim.webp?frames=5&fps=10").headers["x-cache"] == "MISS"


def test_a_hundred_at_once_make_one_capture(oven: Stack, site: HeldSite) -> None:
    path, threads = "/icon/72x72/anim~crowd.png", 40
    with site.holding("anim~crowd") as gate:
        answers = [oven.later(path) for _ in range(threads)]
        oven.until(lambda: oven.running("anim~crowd"))
        gate.set()
        got = [answer.result(60) for answer in answers]
    assert {answer.status_code for answer in got} <= {200, 302}
    assert len({answer.headers["x-grab-id"] for answer in got}) == 1
    assert len(oven.rows("select id from captures_grab where piece = 'anim~crowd'")) == 1
    assert site.count("/anim~crowd?") == 1


# --- several files of one load --------------------------------------------------------------------------------------


def test_four_formats_come_of_one_load_and_answer_alone_afterwards(oven: Stack, site: HeldSite) -> None:
    wish = {"piece": "anim~four", "width": 96, "height": 64, "duration": 1000, "fps": 6}
    answer = oven.post("/grab", {**wish, "formats": ["webp", "gif", "png", "mp4"], "sizes": [96, 48]})
    assert (answer.status_code, answer.headers["x-cache"]) == (200, "MISS")
    outputs = answer.json()["outputs"]
    assert [(o["format"], o["width"], o["height"]) for o in outputs] == [
        (format_, *size) for size in ((96, 64), (48, 32)) for format_ in ("webp", "gif", "png", "mp4")
    ]
    for output in outputs:
        stored = oven.get(output["url"])
        assert len(stored.content) == output["bytes"]
        assert hashlib.sha256(stored.content).hexdigest() == output["sha256"]
        scale = "" if output["width"] == 96 else "&viewportScale=0.5"
        alone = oven.get(f"/grab/{output['format']}/96/64/anim~four?duration=1000&fps=6{scale}")
        assert (alone.status_code, alone.headers["x-cache"]) == (302, "HIT")
        assert output["url"].endswith(alone.headers["location"])
    assert site.count("/anim~four?") == 1
    repeat = oven.post("/grab", {**wish, "formats": "webp,gif,png,mp4", "sizes": "96,48"})
    assert (repeat.headers["x-cache"], repeat.json()) == ("HIT", answer.json())


# --- store screenshots ----------------------------------------------------------------------------------------------


@pytest.fixture
def broken_preset(oven: Stack, site: HeldSite) -> Iterator[str]:
    """A seventh preset, whose density the site does not answer."""
    client = oven.staff()
    fields = {"name": "broken", "label": "Broken", "width": 64, "height": 64, "density": 3, "category": "watch"}
    add = "/admin/captures/screenshotpreset/"
    page = client.post(f"{add}add/", data={**fields, "position": 99})
    assert page.status_code == 200 and "Broken" in page.text
    with site.answering("anim", 503, density="3"):
        yield "broken"
    pk = oven.rows("select id from captures_screenshotpreset where name = 'broken'")[0]["id"]
    client.post(f"{add}{pk}/delete/", data={"post": "yes"})
    assert not oven.rows("select id from captures_screenshotpreset where name = 'broken'")


def test_check_14_a_screenshot_has_its_preset_s_size(oven: Stack, site: HeldSite) -> None:
    """Check 14 of grabs."""
    path = "/app-screenshots/phone-portrait/anim.png"
    first = oven.get(path)
    assert_miss(first, (1080, 1920), 86400)
    assert first.headers["x-screenshot-preset"] == "phone-portrait"
    assert first.headers["x-screenshot-dimensions"] == "1080x1920"
    assert site.count("/anim?density=4&") >= 1
    hit = oven.get(path)
    assert (hit.status_code, hit.headers["cache-control"]) == (302, "public, max-age=604800")
    assert "/oven/app-screenshots/anim-1080x1920-" in hit.headers["location"]
    assert oven.get(f"{path}?force=true").status_code == 401
    forced = oven.get(f"{path}?force=true", headers=oven.bearer)
    assert (forced.status_code, forced.headers["x-cache"]) == (200, "REGENERATED")
    assert forced.headers["cache-control"] == "no-store, no-cache, must-revalidate"
    assert forced.headers["x-grab-id"] != first.headers["x-grab-id"]
    assert oven.get(path).headers["x-grab-id"] == forced.headers["x-grab-id"]
    unknown = oven.get("/app-screenshots/x/prompt.png")
    assert (unknown.status_code, len(unknown.json()["valid"])) == (400, 6)


@pytest.mark.exhaustive("tests/captures/test_shots.py has the ZIP and its errors, test_pages.py downloads one")
def test_the_zip_opens_while_it_is_made_and_reports_what_failed(
    oven: Stack, site: HeldSite, broken_preset: str
) -> None:
    ready = oven.get("/app-screenshots/phone-portrait/anim.png", follow_redirects=True)
    data, first_entry_at = b"", 0.0
    started = time.monotonic()
    with oven.http.stream("GET", "/app-screenshots/download/anim") as answer:
        assert answer.headers["content-disposition"] == 'attachment; filename="anim-app-screenshots.zip"'
        for chunk in answer.iter_raw():
            data += chunk
            if not first_entry_at and b"PK\x07\x08" in data:  # the first entry is whole
                first_entry_at = time.monotonic() - started
    took = time.monotonic() - started
    print(f"first entry after {first_entry_at:.2f} s of {took:.2f} s")
    assert first_entry_at < took / 2
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        assert set(opened.namelist()) == {name.format("anim") for name in SIX} | {"errors.json"}
        for name, size in SIX.items():
            assert Image.open(io.BytesIO(opened.read(name.format("anim")))).size == size
        assert opened.read("phone/anim-phone-portrait.png") == ready.content
        errors = json.loads(opened.read("errors.json"))
    assert [(one["preset"], one["code"]) for one in errors["failed"]] == [(broken_preset, "http_status")]
    overview = oven.get("/api/app-screenshots/anim").json()["presets"]
    assert (overview[broken_preset]["state"], "503" in overview[broken_preset]["error"]) == ("failed", True)
    assert {shot["state"] for name, shot in overview.items() if name != broken_preset} == {"ready"}


def test_screenshots_are_taken_from_a_shell(oven: Stack, tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    said = oven.manage(
        *("screenshots", "$roz", "-o", str(folder), "--quiet"),
        *("--preset", "phone-portrait"),
    )
    assert said.count("×") == 1
    assert Image.open(folder / "phone" / "$roz-phone-portrait.png").size == (1080, 1920)
