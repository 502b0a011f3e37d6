"""The site around a scratch Oven: hands out tapes, and is told what became of them. A real server on this machine."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from PIL import Image, ImageDraw

SHAPES = ((30, 64), (90, 96), (200, 128))  # frames and side of the tapes that there are: /tapes/0.zip and so on
FRAME_MS = 1000 / 30
LARGEST_MESSAGE = 1 << 20


def tape(frames: int, side: int) -> bytes:
    """A ZIP as the site records it: a bar that moves, as PNG frames with a list of times."""
    out = io.BytesIO()
    timing = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for number in range(frames):
            name = f"frame-{number:05d}.png"
            timing.append({"frame": number, "filename": name, "duration": FRAME_MS})
            archive.writestr(name, _frame(number, side))
        archive.writestr("timing.json", json.dumps(timing))
    return out.getvalue()


def _frame(number: int, side: int) -> bytes:
    image = Image.new("RGB", (side, side), (24, 20, 48))
    left = number * 3 % side
    ImageDraw.Draw(image).rectangle((left, 8, left + 8, side - 8), fill=(255, 128, 32))
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


class Handler(BaseHTTPRequestHandler):
    """GET /tapes/N.zip; POST anywhere is a message about a tape."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    server: Site

    def do_GET(self) -> None:
        name = self.path.removeprefix("/tapes/").removesuffix(".zip")
        found = self.server.tapes.get(name)
        self.answer(404 if found is None else 200, found or b"")

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers["Content-Length"] or 0), LARGEST_MESSAGE))
        self.server.hear(str(json.loads(body).get("code")), self.headers["webhook-id"] or "")
        self.answer(200, b"{}")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Site(ThreadingHTTPServer):
    """`heard`: how often each message (by its id) came, by the tape's code."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.tapes = {str(number): tape(*shape) for number, shape in enumerate(SHAPES)}
        self.heard: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._lock = threading.Lock()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def hear(self, code: str, message_id: str) -> None:
        with self._lock:
            self.heard[code][message_id] += 1

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that was killed leaves in the middle of an answer."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
