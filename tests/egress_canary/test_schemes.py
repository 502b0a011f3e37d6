"""Addresses that are no web pages: a page opens none of them, whoever works at the shell opens files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureSpec, Format, Ready
from captures.requests import GrabRequest
from captures.runner import check_egress_policy
from oven.egress.proxy import Proxy
from tests.egress_canary.vector_site import VectorSite
from tests.piece_server import PieceServer

BODY = "<!doctype html><body style='background:#345'>"
WAYS = {
    "location": "location = '{u}'",
    "replace": "location.replace('{u}')",
    "form": "const f = document.createElement('form'); f.action = '{u}'; document.body.append(f); f.submit()",
    "click": "const a = document.createElement('a'); a.href = '{u}'; document.body.append(a); a.click()",
    "open": "window.open('{u}', '_self')",
    "frame": "const f = document.createElement('iframe'); f.src = '{u}'; document.body.append(f)",
    "fetch": "fetch('{u}')",
    "image": "new Image().src = '{u}'",
}


@pytest.fixture(scope="module")
def site() -> Iterator[VectorSite]:
    with VectorSite(1) as serving:
        yield serving


@pytest.fixture(scope="module")
def host(site: VectorSite) -> Iterator[EngineHost]:
    with EngineHost(BrowserOptions(gate=Proxy([site.origin]))) as running:
        yield running


@pytest.fixture
def ready(host: EngineHost, tmp_path: Path) -> Callable[[str], Ready]:
    """What a page was held for ready by: SIGNAL once it is no web page any more."""

    def ready(url: str) -> Ready:
        spec = CaptureSpec(
            url=url,
            format=Format.PNG,
            width=64,
            height=64,
            ready_expression="location.protocol !== 'http:' && document.body !== null",
            ready_limit_ms=400,
            settle_still_ms=0,
        )
        return host.capture(spec, tmp_path).result(60).ready

    return ready


@pytest.fixture
def secret(site: VectorSite, tmp_path: Path) -> Path:
    """A file of this machine that tells the site when it is opened."""
    path = tmp_path / "secret.html"
    path.write_text(f"{BODY}<img src='{site.origin}/leaked'>secret")
    return path


def test_a_page_opens_no_file_and_no_page_of_the_browser(
    site: VectorSite, ready: Callable[[str], Ready], secret: Path
) -> None:
    site.asked.clear()
    schemes = [secret.as_uri(), "chrome://version/", "view-source:http://127.0.0.1/", "data:text/html,<b>x</b>"]
    for url in schemes:
        for code in [code for way, code in WAYS.items() if url in schemes[:1] or way in ("location", "open")]:
            site.pages["/scheme"] = f"{BODY}<script>{code.format(u=url)}</script>"
            assert ready(f"{site.origin}/scheme") is Ready.LIMIT, (url, code)
    assert "/leaked" not in site.asked


def test_whoever_works_at_the_shell_opens_files(
    site: VectorSite, ready: Callable[[str], Ready], secret: Path
) -> None:
    site.asked.clear()
    assert ready(secret.as_uri()) is Ready.SIGNAL
    assert "/leaked" in site.asked
    assert ready(f"data:text/html,{BODY.replace('#', '%23')}") is Ready.SIGNAL


@pytest.mark.parametrize("code", [301, 302, 307])
def test_no_redirect_leads_to_a_file(site: VectorSite, host: EngineHost, secret: Path, code: int) -> None:
    spec = CaptureSpec(url=f"{site.origin}/redirect/{code}/1/{secret.as_uri()}", format=Format.PNG)
    with pytest.raises(CaptureError) as caught:
        host.capture(spec, secret.parent).result(60)
    assert caught.value.code is ErrorCode.UNREACHABLE


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "chrome://version", "view-source:https://a.b/", "data:text/html,x", "about:blank"]
)
def test_the_service_grabs_no_such_document(url: str) -> None:
    class Wish(GrabRequest):
        url = ""

    Wish.url = url
    with pytest.raises(CaptureError) as caught:
        check_egress_policy(Wish(piece="x"))
    assert caught.value.code is ErrorCode.BAD_SPEC


def test_a_page_that_floods_slow_look_ups_is_ended_for_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What watches a page depends on nothing that the page can use up."""
    never = threading.Event()
    monkeypatch.setattr("oven.egress.policy._resolve", lambda host, port: never.wait(30) and [])
    with PieceServer() as pieces, EngineHost(BrowserOptions(gate=Proxy([pieces.origin]))) as host:
        spec = CaptureSpec(url=f"{pieces.origin}/bad-names", width=64, height=64, memory_limit_mb=300)
        with pytest.raises(CaptureError) as caught:
            host.capture(spec, tmp_path).result(60)
    never.set()
    assert caught.value.code is ErrorCode.MEMORY
    assert 300 <= int(caught.value.message.split()[3]) < 600
