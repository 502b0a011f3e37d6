"""Pages that were not written for Oven: slow files, streams, workers, sound, counters. Each draws what it should show.

Row 0 of every page is its own time code, further rows lie 20 pixels below each other (see `tests/timecode.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import math
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from PIL import Image, ImageSequence

from captures.engine.host import EngineHost
from captures.engine.pace.virtual import VirtualPacer
from captures.engine.spec import CaptureResult, CaptureSpec, Format, Mode, Ready, Start, WarningCode
from tests.harness.sizes import sampled
from tests.timecode import decode

DRAW = """<!doctype html><meta charset=utf-8><style>html, body { margin: 0 } canvas { display: block }</style>
<canvas id=c width=512 height=128></canvas><script>
const c = document.getElementById('c').getContext('2d');
function row(y, ms) {
  for (let i = 0; i < 24; i++) {
    c.fillStyle = (Math.round(ms * 100) >>> i) & 1 ? '#fff' : '#000';
    c.fillRect(i * 16, y * 20, 16, 16);
  }
}
function each(draw) {
  const next = time => { row(0, performance.now()); draw(time); requestAnimationFrame(next) };
  requestAnimationFrame(next);
}
%s</script>"""
WORKER = "onmessage = event => postMessage(event.data)"
PAGES = {
    "counter": DRAW % "let n = 0; each(() => row(1, ++n));",
    "clocks": DRAW % "const start = Date.now(); let t = 0; setInterval(() => t += 10, 10);"
    "each(time => { row(1, time); row(2, Date.now() - start); row(3, t) });",
    "unending": DRAW % "new Image().src = '/never/a'; each(time => row(1, time));",
    "webgpu": DRAW % "navigator.gpu.requestAdapter().then(found => row(1, found ? 1 : 2)); each(() => 0);",
    "events": DRAW % "new EventSource('/stream'); each(time => row(1, time));",
    "poll": DRAW % "const ask = () => fetch('/blue.svg').then(() => setTimeout(ask, 100)); ask();"
    "each(time => row(1, time));",
    "waits": DRAW % "fetch('/never/b').catch(() => 0); each(time => row(1, time));",
    "image": DRAW % "const i = new Image(); i.src = `/slow/${location.search.slice(1)}/blue.svg`;"
    "each(() => { if (i.complete) c.drawImage(i, 448, 0, 64, 64) });",
    "script": DRAW % "each(() => { if (window.there) { c.fillStyle = '#00f'; c.fillRect(448, 0, 64, 64) } });"
    "document.head.append(Object.assign(document.createElement('script'), { src: `/slow/${location.search.slice(1)}/there.js` }));",
    "midway": DRAW
    % "let n = 0; setInterval(async () => n = (await (await fetch('/slow/60/seven.json')).json()).n, 500);"
    "each(() => row(1, n));",
    "worker": DRAW % f"const w = new Worker(URL.createObjectURL(new Blob([`{WORKER}`]))); let at = 0;"
    "w.onmessage = event => at = event.data; each(time => { w.postMessage(time); row(1, at) });",
    "worker counter": DRAW % f"const w = new Worker(URL.createObjectURL(new Blob([`{WORKER}`]))); let n = 0;"
    "each(time => { w.postMessage(time); row(1, ++n) });",
    "leaves": "<!doctype html><script>setTimeout(() => location.replace('/counter'), 300)</script>first",
    "idle worker": "<!doctype html><body style='background:#345'><p id=p>x<script>"
    "new Worker('/worker.js').postMessage(1)</script>",
    "script worker": DRAW % "const w = new Worker('/worker.js'); w.onmessage = event => row(1, event.data);"
    "each(time => w.postMessage(time));",
    "shared": DRAW
    % "const w = new SharedWorker('/shared.js').port; w.start(); w.onmessage = event => row(1, event.data);"
    "each(time => w.postMessage(time));",
    "offscreen": """<!doctype html><style>body { margin: 0 }</style><canvas id=c width=512 height=128></canvas><script>
const worker = new Worker(URL.createObjectURL(new Blob([`onmessage = ({ data }) => {
  const c = data.getContext('2d');
  const row = (y, value) => {
    for (let i = 0; i < 24; i++) {
      c.fillStyle = (Math.round(value * 100) >>> i) & 1 ? '#fff' : '#000';
      c.fillRect(i * 16, y * 20, 16, 16);
    }
  };
  let n = 0;
  const draw = time => {
    row(0, time);
    row(1, ++n);
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
}`])));
const canvas = document.getElementById('c').transferControlToOffscreen();
worker.postMessage(canvas, [canvas]);
</script>""",
    "store": DRAW % "const q = indexedDB.open('d', 1); q.onupgradeneeded = () => q.result.createObjectStore('s');"
    "q.onsuccess = () => { const next = time => { const s = q.result.transaction('s', 'readwrite').objectStore('s');"
    "s.put(time, 't'); const get = s.get('t'); get.onsuccess = () => { row(0, get.result);"
    "requestAnimationFrame(next) } }; requestAnimationFrame(next) };",
    "bitmap": DRAW % "const o = new OffscreenCanvas(8, 8); o.getContext('2d'); async function next(time) {"
    "const b = await createImageBitmap(o); row(0, time); requestAnimationFrame(next) } requestAnimationFrame(next);",
    "audio": DRAW % "const a = new AudioContext(); each(() => row(1, a.currentTime * 1000));",
    "analyser": DRAW % "const a = new AudioContext(), n = a.createAnalyser(), o = a.createOscillator();"
    "o.connect(n); o.start(); const d = new Uint8Array(8);"
    "each(() => { n.getByteFrequencyData(d); row(1, d[3]); n.getByteTimeDomainData(d); row(2, d[3]) });",
    "video": DRAW % "const v = Object.assign(document.createElement('video'), { src: '/level.mp4', muted: true,"
    "autoplay: true, loop: true }); v.style.cssText = 'position:absolute;left:448px;top:64px;width:64px';"
    "document.body.append(v); each(() => { row(1, v.currentTime * 1000); row(2, v.paused ? 1 : 2);"
    "c.drawImage(v, 448, 0, 64, 64) });",
    "pictures": """<!doctype html><style>body { margin: 0 } img { position: absolute; left: 448px; width: 64px }</style>
"""
    + DRAW
    % "each(() => 0); for (const [at, type] of ['gif', 'png', 'webp'].entries())"
    "document.body.append(Object.assign(new Image(), { src: '/level.' + type, style: `top: ${at * 40}px` }));",
    "wide colours": DRAW % "const p = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });"
    "p.style.cssText = 'position:absolute;left:448px;top:0'; document.body.append(p);"
    "const g = p.getContext('2d', { colorSpace: 'display-p3' }); g.fillStyle = 'rgb(200, 100, 50)';"
    "g.fillRect(0, 0, 64, 64); each(() => 0);",
    "random": DRAW % "const r = Math.random() * 1000, b = crypto.getRandomValues(new Uint8Array(1))[0];"
    "each(() => { row(1, r); row(2, b); row(3, Date.now() % 86400000 / 1000) });",
    "intro": DRAW % "each(() => { c.fillStyle = '#00f'; c.fillRect(0, 40, Math.min(512, performance.now()), 40) });",
    "soft": """<!doctype html><body style="margin:0;background:#345">
<div style="height:128px;background:linear-gradient(#678, #9ab)"></div><script>
const div = document.querySelector('div');
const step = time => { div.style.opacity = 0.8 + 0.04 * Math.sin(time / 300); requestAnimationFrame(step) };
requestAnimationFrame(step)</script>""",
    "star": DRAW % "const next = time => { c.fillStyle = '#000'; c.fillRect(0, 0, 512, 128); c.fillStyle = '#333';"
    "c.fillRect(100 + time / 50, 50, 1, 1); requestAnimationFrame(next) }; requestAnimationFrame(next);",
    "broken": "<!doctype html><body style='background:#eee'><script>nothing.at.all</script><script src='/missing.js'></script>",
    "still": "<!doctype html><body style='margin:0;background:#fff'><h1>Still</h1>",
}
FILES = {
    "/blue.svg": (
        "image/svg+xml",
        "<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'>"
        "<rect width='64' height='64' fill='#00f'/></svg>",
    ),
    "/there.js": ("text/javascript", "window.there = true"),
    "/seven.json": ("application/json", '{"n": 7}'),
    "/worker.js": ("text/javascript", WORKER),
    "/shared.js": (
        "text/javascript",
        "onconnect = ({ ports: [port] }) => port.onmessage = e => port.postMessage(e.data)",
    ),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        if path.startswith("/slow/"):
            _, _, ms, rest = path.split("/", 3)
            time.sleep(int(ms) / 1000)
            path = f"/{rest}"
        with contextlib.suppress(OSError):
            self._answer(path)

    def _answer(self, path: str) -> None:
        if path.startswith("/never"):
            self.server.over.wait(60)  # type: ignore[attr-defined]
        elif path == "/stream":
            self._stream()
        elif path in FILES:
            self._send(200, *FILES[path])
        elif path in self.server.media:  # type: ignore[attr-defined]
            self._send(200, *self.server.media[path])  # type: ignore[attr-defined]
        elif (name := path.removeprefix("/")) in PAGES:
            self._send(200, "text/html", PAGES[name])
        else:
            self._send(404, "text/plain", "no")

    def _send(self, status: int, kind: str, content: str | bytes) -> None:
        body = content if isinstance(content, bytes) else content.encode()
        if part := re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(part[1]), int(part[2] or len(body) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(body)}")
            body = body[start : end + 1]
        else:
            self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        while not self.server.over.wait(0.1):  # type: ignore[attr-defined]
            self.wfile.write(b"data: 1\n\n")
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, media: dict[str, tuple[str, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.over = threading.Event()
        self.media = media


def levels(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Make a video of 30 pictures a second that get lighter by 7 levels every two, and images of 10 by 12 levels."""
    video = "color=c=black:s=64x64:r=30:d=2,geq=lum='16+N*3':cb=128:cr=128"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", video, "-pix_fmt", "yuv420p", str(folder / "level.mp4")]
    subprocess.run(command, check=True)
    found = {"/level.mp4": ("video/mp4", (folder / "level.mp4").read_bytes())}
    pictures = [Image.new("L", (64, 64), 12 * index) for index in range(20)]
    for type_ in ("gif", "png", "webp"):
        path = folder / f"level.{type_}"
        exact = {"lossless": True} if type_ == "webp" else {}
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, loop=0, **exact)
        found[f"/level.{type_}"] = (f"image/{type_}", path.read_bytes())
    return found


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Server(levels(tmp_path_factory.mktemp("media"))) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.over.set()
        server.shutdown()


Take = Callable[..., CaptureResult]


@pytest.fixture(scope="module")
def taken(host: EngineHost, origin: str, tmp_path_factory: pytest.TempPathFactory) -> Take:
    """`taken("counter", fps=24)`: a capture of a page, by default of 12 frames at 15 a second."""

    def take(page: str, frames: int = 12, fps: float = 15.0, host: EngineHost = host, **fields: Any) -> CaptureResult:
        shape = {"format": Format.WEBP, "width": 512, "height": 128, "quality": 95, "playback_fps": fps}
        shape |= {"network_wait_s": 4.0, "fetch_wait_s": 1.5}
        spec = CaptureSpec(
            url=f"{origin}/{page.replace(' ', '%20')}",
            fps=fps,
            duration_ms=int(frames / fps * 1000),
            wait_for_idle=True,
            **{**shape, **fields},
        )
        found = host.capture(spec, tmp_path_factory.mktemp("capture")).result(90)
        assert found.mode is Mode.VIRTUAL
        return found

    return take


@pytest.fixture(scope="module")
def take(taken: Take) -> Take:
    """Take a capture, or return the one of an earlier test: for tests that look at different things of the same."""
    return cache(taken)


def shown(found: CaptureResult) -> list[Any]:
    with Image.open(found.path) as picture:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]


def times(found: CaptureResult, row: int = 0) -> list[float]:
    """Return what a row of every frame says, in ms."""
    return [decode(frame.crop((0, 20 * row, 512, 20 * row + 16))) for frame in shown(found)]


def steps(values: list[float]) -> list[float]:
    return [round(after - before, 2) for before, after in itertools.pairwise(values)]


def codes(found: CaptureResult) -> list[WarningCode]:
    return [warning.code for warning in found.warnings]


EXACT = {66.6, 66.7}
SHOWN_MS = 1000 / 60  # when an animated image is first shown


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["unending", "waits", "events", "poll", "clocks"])
def test_no_request_changes_the_clock(take: Take, page: str) -> None:
    found = take(page)
    assert set(steps(times(found))) <= EXACT
    assert set(steps(times(found, 1))) <= EXACT


def test_every_clock_of_the_page_goes_alike(take: Take) -> None:
    found = take("clocks")
    assert set(steps(times(found, 2))) <= {66.0, 67.0}  # Date
    assert set(steps(times(found, 3))) <= {60.0, 70.0}  # an interval of 10 ms


def test_a_clock_that_disagrees_with_the_plan_fails_the_capture(taken: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a second budget, as the engine once gave when it went on without a request, time runs at half speed."""

    def second_budget(self: VirtualPacer) -> str:
        self._set_policy("advance", budget=50.0, maxVirtualTimeTaskStarvationCount=1000)
        return "advance"

    monkeypatch.setattr(VirtualPacer, "_go_on_without", second_budget)
    with pytest.raises(Exception, match=r"The page's clock is .* ms off"):
        taken("waits")


@pytest.mark.parametrize(
    "fps", sampled([7.5, 24.0, 25.0, 30.0, 50.0, 60.0], [7.5, 25.0, 60.0], "below, beside and at the screen's rate")
)
def test_there_are_sixty_animation_callbacks_a_second_at_every_rate(take: Take, fps: float) -> None:
    counts = times(take("counter", frames=12, fps=fps), 1)
    assert counts[0] == 45  # at 750 ms: while it loads and settles, too
    assert [round(count - counts[0]) for count in counts] == [round(index * 60 / fps + 1e-9) for index in range(12)]


def test_a_page_that_leaves_for_another_is_followed_at_once(take: Take) -> None:
    found = take("leaves")
    assert (codes(found), found.spans["ready"] < 10_000) == ([], True)
    assert set(steps(times(found))) <= EXACT


def test_a_page_whose_worker_does_nothing_is_captured(take: Take) -> None:
    found = take("idle worker", frames=2)
    assert (found.still_reason, codes(found)) == ("frozen", [])


@pytest.mark.parametrize("page", ["worker counter", "offscreen"])
def test_a_page_with_workers_has_as_many_callbacks_as_any_other(take: Take, page: str) -> None:
    counts = times(take(page, frames=12, fps=25.0), 1)
    assert counts[0] == 45
    assert [round(count - counts[0]) for count in counts] == [round(index * 2.4 + 1e-9) for index in range(12)]


@pytest.mark.parametrize(
    ("page", "behind"), [("worker", 17), ("script worker", 17), ("shared", 50), ("offscreen", 0)]
)
def test_pages_that_draw_by_way_of_others_are_in_step(take: Take, page: str, behind: int) -> None:
    found = take(page)
    assert found.ready is Ready.IDLE and found.ready_ms <= 800
    if behind:
        own, other = times(found), times(found, 1)
        assert set(steps(own)) <= EXACT
        assert all(0 <= mine - theirs <= behind for mine, theirs in zip(own, other, strict=True))
    else:
        assert set(steps(times(found))) <= EXACT


def test_a_store_is_waited_for_and_what_cannot_be_held_is_a_warning(take: Take) -> None:
    found = take("store")
    assert all(33 <= step <= 100 for step in steps(times(found)))
    assert codes(found) == [WarningCode.TIMING]
    shared = take("shared")
    assert codes(shared) == [WarningCode.TIMING]
    assert "ms apart" in shared.warnings[0].message


def test_a_page_that_gets_no_webgpu_says_so(take: Take) -> None:
    found = take("webgpu", frames=2)
    assert times(found, 1) == [2.0, 2.0]
    assert codes(found) == [WarningCode.NO_WEBGPU]


def test_a_video_is_sought_to_the_moment_of_every_frame(take: Take, taken: Take) -> None:
    found = take("video")
    assert codes(found) == []
    assert set(steps(times(found))) | set(steps(times(found, 1))) <= EXACT
    assert set(times(found, 2)) == {2.0}  # for the page it plays
    pictures = [1000 / 30 * round((frame.getpixel((470, 30))[0] / 1.164) / 3) for frame in shown(found)]
    for picture, position in zip(pictures, times(found, 1), strict=True):
        assert picture <= position + 0.5 < picture + 1000 / 30 + 1
    assert found.path.read_bytes() == taken("video").path.read_bytes()


@pytest.mark.parametrize("fps", [7.5, 15.0])
def test_animated_images_move_at_their_own_speed(take: Take, fps: float) -> None:
    found = take("pictures", fps=fps, quality=100)
    for y in (20, 60, 100):
        numbers = [round(frame.getpixel((480, y))[0] / 12) for frame in shown(found)]
        moments = [math.floor((750 - SHOWN_MS + index * 1000 / fps) / 100) for index in range(len(numbers))]
        assert [(b - a) % 20 for a, b in itertools.pairwise(numbers)] == steps([float(m) for m in moments])


def test_what_a_page_plays_is_silent_to_it_and_it_says_so(take: Take) -> None:
    found = take("analyser", frames=2)
    assert (set(times(found, 1)), set(times(found, 2))) == ({0.0}, {128.0})
    assert codes(found) == [WarningCode.NO_SOUND]


def test_colours_of_a_wide_canvas_are_converted(take: Take) -> None:
    found = take("wide colours", frames=1, format=Format.PNG)
    assert shown(found)[0].getpixel((470, 30)) == (200, 100, 50)


def test_sound_runs_without_a_gesture_and_by_the_pages_clock(take: Take) -> None:
    found = take("audio")
    assert set(steps(times(found))) <= EXACT
    assert set(steps(times(found, 1))) <= EXACT


# --- the same in every run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "format_",
    sampled([Format.PNG, Format.WEBP, Format.GIF, Format.MP4], [Format.WEBP, Format.MP4], "GIF and PNG alike"),
)
def test_the_same_page_gives_the_same_bytes(take: Take, taken: Take, format_: Format) -> None:
    runs = [take("soft", format=format_), taken("soft", format=format_)]
    assert len({hashlib.sha256(run.path.read_bytes()).hexdigest() for run in runs}) == 1


@pytest.mark.parametrize("page", ["worker", "bitmap", "midway"])
def test_so_do_pages_that_wait_for_others(take: Take, taken: Take, page: str) -> None:
    one, other = take(page), taken(page)
    assert (one.ready_ms, times(one)) == (other.ready_ms, times(other))
    assert one.path.read_bytes() == other.path.read_bytes()


REPEATED = [
    *("counter", "clocks", "unending", "midway", "worker", "offscreen"),
    *("bitmap", "audio", "intro", "soft", "video", "pictures"),
]


@pytest.mark.exhaustive("the gate repeats some of them in one browser")
@pytest.mark.parametrize("page", REPEATED)
def test_another_browser_gives_the_same_bytes(taken: Take, page: str) -> None:
    formats = (Format.PNG, Format.WEBP, Format.GIF, Format.MP4)
    with EngineHost() as one, EngineHost() as other:
        runs = [
            [taken(page, format=format_, host=host).path.read_bytes() for format_ in formats] for host in (one, other)
        ]
    with EngineHost() as later:
        runs.append([taken(page, format=format_, host=later).path.read_bytes() for format_ in formats])
    assert runs[0] == runs[1] == runs[2]


def test_a_seed_and_a_date_make_chance_the_same(taken: Take) -> None:
    first, second, other = (taken("random", seed=seed, date_s=1_767_225_600) for seed in (7, 7, 8))
    assert first.path.read_bytes() == second.path.read_bytes() != other.path.read_bytes()
    assert times(first, 3)[0] == pytest.approx(0.75, abs=0.02)  # seconds since midnight
    free = [times(taken("random"), 1) for _ in range(2)]
    assert free[0] != free[1]


# --- waiting --------------------------------------------------------------------------------------------------------


SLOW = [(page, ms) for page in ("image", "script") for ms in (500, 1000, 2000, 4000, 8000)]


@pytest.mark.parametrize(
    ("page", "ms"), sampled(SLOW, [("image", 2000), ("script", 2000)], "the gate has one delay of each")
)
def test_a_slow_file_is_waited_for_and_costs_the_page_no_time(take: Take, page: str, ms: int) -> None:
    found = take(f"{page}?{ms}", network_wait_s=15.0)
    assert {frame.getpixel((480, 32)) for frame in shown(found)} <= {
        (0, 0, 254),
        (0, 0, 255),
        (1, 0, 254),
        (1, 0, 255),
    }
    assert found.ready_ms <= 600
    assert codes(found) == []


@pytest.mark.parametrize("page", ["unending", "waits"])
def test_what_is_given_up_is_a_warning(take: Take, page: str) -> None:
    found = take(page)
    assert codes(found) == [WarningCode.NOT_LOADED]
    assert found.warnings[0].message.startswith("http://127.0.0.1:")
    assert "did not load within" in found.warnings[0].message


def test_what_is_asked_for_during_the_capture_is_waited_for(take: Take) -> None:
    numbers = times(take("midway", frames=24), 1)
    assert numbers[-1] == 7
    assert sorted(numbers) == numbers


@pytest.mark.parametrize("page", ["events", "poll", "script worker", "shared"])
def test_streams_and_workers_do_not_hold_up_idle(take: Take, page: str) -> None:
    found = take(page)
    assert (found.ready, found.ready_ms <= 800) == (Ready.IDLE, True)


def test_an_intro_is_captured_from_its_first_frame(take: Take) -> None:
    found = take("intro", frames=6, start=Start.LOAD, settle_ms=0)
    assert found.ready is Ready.LOAD
    assert times(found)[0] < 20


SCRIPTS = {"ja": "かな", "zh": "中文", "ko": "한국", "hi": "हन", "th": "กข", "he": "אב", "ar": "دس", "emoji": "😀🎨"}


def test_other_scripts_have_their_own_glyphs(host: EngineHost, tmp_path: Path) -> None:
    """The box of a missing glyph would be the same for two characters. Set-up installs the fonts, where it may."""
    cell = "position:absolute;font:32px sans-serif;width:48px;height:48px;overflow:hidden"
    cells = [
        f"<div style='{cell};left:{48 * column}px;top:{48 * row}px'>{char}</div>"
        for row, chars in enumerate(SCRIPTS.values())
        for column, char in enumerate(chars)
    ]
    page = quote(f"<meta charset=utf-8><body style='margin:0'>{''.join(cells)}")
    spec = CaptureSpec(f"data:text/html,{page}", format=Format.PNG, width=96, height=48 * 8, wait_for_idle=True)
    found = host.capture(spec, tmp_path).result(60)
    with Image.open(found.path) as picture:
        boxes = [(48 * column, 48 * row, 48 * column + 48, 48 * row + 48) for row in range(8) for column in range(2)]
        cut = [picture.convert("RGB").crop(box).tobytes() for box in boxes]
    missing = [name for row, name in enumerate(SCRIPTS) if cut[2 * row] == cut[2 * row + 1]]
    if missing and "Loma" not in subprocess.run(["fc-list"], capture_output=True, text=True, check=False).stdout:
        pytest.skip(f"no fonts here for {', '.join(missing)}")
    assert missing == []


# --- looks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "format_"),
    sampled(
        [(page, format_) for page in ("soft", "star") for format_ in (Format.WEBP, Format.GIF)],
        [("soft", Format.WEBP), ("star", Format.GIF)],
        "each page and format once",
    ),
)
def test_soft_and_tiny_motion_is_kept(take: Take, page: str, format_: Format) -> None:
    found = take(page, format=format_)
    assert (found.still_reason, found.frames) == ("", 12)


def test_what_stands_still_is_a_still_unless_that_is_ruled_out(take: Take) -> None:
    assert take("still").still_reason == "frozen"
    assert take("still", still_allowed=False).still_reason == ""


def test_a_white_page_with_errors_says_so(take: Take) -> None:
    found = take("broken", format=Format.PNG)
    assert set(codes(found)) == {WarningCode.REQUEST_FAILED, WarningCode.PAGE_ERROR}
    assert any("nothing is not defined" in warning.message for warning in found.warnings)
