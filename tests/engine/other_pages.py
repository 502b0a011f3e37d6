"""The pages of `test_other_pages.py` and their server: slow files, streams, workers, sound, videos, counters.

Row 0 of every page is its own time code, further rows lie 20 pixels below each other (see `tests/timecode.py`).
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

from PIL import Image

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
    "jumps": DRAW % "const v = Object.assign(document.createElement('video'), { src: '/level.mp4', muted: true,"
    "autoplay: true }); v.style.cssText = 'position:absolute;left:448px;top:64px;width:64px'; document.body.append(v);"
    "let n = 0; v.addEventListener('seeked', () => n++); setTimeout(() => { v.currentTime = 1.5 }, 900);"
    "v.addEventListener('ended', () => n += 10); each(() => { row(1, v.currentTime * 1000); row(2, n) });",
    "scrubbed": DRAW % "const v = Object.assign(document.createElement('video'), { src: '/level.mp4', muted: true });"
    "v.style.cssText = 'position:absolute;left:448px;top:64px;width:64px'; document.body.append(v); let n = 0;"
    "each(() => { row(1, v.currentTime * 1000); v.currentTime = n++ % 40 / 30 });",
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
