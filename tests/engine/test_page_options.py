"""Options for pages that were not made for Oven: their visitor, clicks and keys, and the part that is captured."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from captures.engine import process
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.host import EngineHost
from captures.engine.options import MAX_HEIGHT, PageOptions
from captures.engine.spec import CaptureResult, CaptureSpec, Format, Mode, WarningCode
from tests.harness.sizes import sampled

GREEN, YELLOW, CYAN, GRAY, DARK, RED = (
    (0, 170, 0),
    (255, 255, 0),
    (0, 255, 255),
    (136, 136, 136),
    (34, 34, 34),
    (255, 0, 0),
)
PAGE = """<!doctype html><style>
  body { margin: 0; background: #fff }
  #top { height: 100vh; background: #0a0 }
  #rest { height: 1500px; background: #f00 }
  #box { position: absolute; left: 40px; top: 500px; width: 100px; height: 60px; background: #00f }
  #button { position: absolute; left: 10px; top: 10px; width: 80px; height: 40px; border: 0; background: #888 }
  @media (prefers-color-scheme: dark) { #top { background: #222 } }
</style><div id=top></div><div id=rest></div><div id=box></div><button id=button></button><script>
  const top_ = document.getElementById('top');
  document.getElementById('button').onclick = event => top_.style.background = event.isTrusted ? '#ff0' : '#f0f';
  onkeydown = event => { if (event.key === 'Enter') top_.style.background = '#0ff' };
  setTimeout(() => { document.body.insertAdjacentHTML('beforeend', '<p id=late></p>'); window.there = true }, 1500);
  const box = document.getElementById('box');
  const next = time => { box.style.background = `rgb(0, ${Math.floor(time / 10) % 256}, 255)`; requestAnimationFrame(next) };
  requestAnimationFrame(next);
  window.visitor = [navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone, document.cookie].join(' ');
  if (location.pathname === '/high') document.getElementById('rest').style.height = '20000px';
</script>"""


class Handler(BaseHTTPRequestHandler):
    asked: list[dict[str, str]]

    def do_GET(self) -> None:
        self.asked.append(dict(self.headers))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadingHTTPServer]:
    handler = type("Recording", (Handler,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield running
        running.shutdown()


Take = Callable[..., CaptureResult]


@pytest.fixture
def take(host: EngineHost, server: ThreadingHTTPServer, tmp_path: Path) -> Take:
    """`take(selector="#box")`: a picture of 300 by 200 CSS pixels; what is no option of the page is of the capture."""

    def take(path: str = "", **fields: Any) -> CaptureResult:
        page = {name: fields.pop(name) for name in list(fields) if name in PageOptions.__slots__}
        shape: dict[str, Any] = {"format": Format.PNG, "duration_ms": 300, "fps": 10.0, "playback_fps": 10.0}
        spec = CaptureSpec(
            url=f"http://127.0.0.1:{server.server_port}/{path}",
            width=300,
            height=200,
            wait_for_idle=True,
            page=PageOptions(**page),
            **{**shape, **fields},
        )
        return host.capture(spec, tmp_path).result(60)

    return take


def color(found: CaptureResult, x: int, y: int) -> Any:
    with Image.open(found.path) as picture:
        return picture.convert("RGB").getpixel((x, y))


def size(found: CaptureResult) -> tuple[int, int]:
    with Image.open(found.path) as picture:
        assert picture.size == (found.width, found.height)
        return picture.size


@pytest.mark.parametrize("scale", sampled([1.0, 2.0], [2.0], "the gate has the one that could miss"))
def test_an_element_is_clicked(take: Take, scale: float) -> None:
    assert color(take(clicks=("#button",), scale=scale), 200, 100) == YELLOW


def test_a_key_is_pressed(take: Take) -> None:
    assert color(take(keys=("Enter",)), 200, 100) == CYAN


@pytest.mark.parametrize(
    "mode", sampled([Mode.INJECTED, Mode.PLAIN, Mode.STILL], [Mode.INJECTED], "the modes take pictures in two ways")
)
def test_other_modes_click_and_crop_as_well(take: Take, mode: Mode) -> None:
    found = take(clicks=("#button",), selector="#top", modes=(mode,), format=Format.WEBP)
    assert found.mode is mode
    assert size(found) == (300, 200)
    assert max(abs(one - other) for one, other in zip(color(found, 200, 100), YELLOW, strict=True)) < 8


def test_an_element_below_the_viewport_is_captured_with_its_padding(take: Take) -> None:
    found = take(selector="#box", padding=10, scale=2.0)
    assert size(found) == (240, 160)
    assert color(found, 5, 5) == RED
    assert color(found, 120, 80)[2] == 255


def test_an_animation_of_an_element_moves(take: Take) -> None:
    found = take(selector="#box", format=Format.WEBP)
    assert (size(found), found.frames, found.still_reason) == ((100, 60), 3, "")


def test_padding_ends_at_the_edge_of_the_page(take: Take) -> None:
    assert size(take(selector="#button", padding=30)) == (120, 80)


def test_a_full_page_keeps_its_layout(take: Take) -> None:
    found = take(full_page=True)
    assert size(found) == (300, 1700)
    assert (color(found, 200, 199), color(found, 200, 201), color(found, 200, 1699)) == (GREEN, RED, RED)
    assert found.warnings == []


def test_a_page_that_is_too_high_is_cut_with_a_warning(take: Take) -> None:
    found = take("high", full_page=True)
    assert size(found) == (300, MAX_HEIGHT)
    assert [warning.code for warning in found.warnings] == [WarningCode.CUT]
    assert found.warnings[0].message == "It is 20200 CSS pixels high: the picture ends after 8192."


@pytest.mark.parametrize("wanted", ["#late", "window.there === true"])
def test_what_is_waited_for_may_be_an_element_or_an_expression(take: Take, wanted: str) -> None:
    assert take(wait_for=wanted, clicks=("#button",)).frames == 1


@pytest.mark.parametrize(("field", "option"), [("wait_for", "waitFor"), ("selector", "selector")])
def test_what_never_comes_fails_by_name(take: Take, field: str, option: str) -> None:
    with pytest.raises(CaptureError) as failure:
        take(ready_limit_ms=1000, **{field: "#nothing"})
    assert failure.value.code is ErrorCode.NO_ELEMENT
    assert failure.value.message == f"{option}: nothing on the page matched '#nothing' within 1 s."


def test_what_is_no_selector_is_said(take: Take) -> None:
    with pytest.raises(CaptureError, match="selector: '##' is not a CSS selector") as failure:
        take(selector="##")
    assert failure.value.code is ErrorCode.BAD_SPEC


def test_the_visitor_is_as_asked_for(take: Take, server: ThreadingHTTPServer) -> None:
    asked: list[dict[str, str]] = server.RequestHandlerClass.asked  # type: ignore[attr-defined]
    asked.clear()
    visitor = {"locale": "de-DE", "timezone": "Asia/Tokyo", "cookies": (("c", "v"),)}
    seen = "window.visitor === 'de-DE Asia/Tokyo c=v'"
    take(**visitor, user_agent="Agent/1", headers=(("X-Own", "1"),), wait_for=seen, ready_limit_ms=1000)
    told = {name: asked[0].get(name) for name in ("User-Agent", "Accept-Language", "X-Own", "Cookie")}
    assert told == {"User-Agent": "Agent/1", "Accept-Language": "de-DE", "X-Own": "1", "Cookie": "c=v"}


def test_a_color_scheme_is_preferred(take: Take) -> None:
    assert color(take(color_scheme="dark"), 200, 100) == DARK


def test_the_machines_time_zone_is_not_that_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    reads, writes = os.pipe()
    pid = process._spawn(["/bin/sh", "-c", "echo $TZ >&4"], reads, writes)
    os.waitpid(pid, 0)
    assert os.read(reads, 100) == b"UTC\n"
    os.close(reads)
    os.close(writes)
