"""A site for the demo's bakes: hands out tapes that were recorded from pieces, and is told what became of them."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from django.conf import settings

from bakes.recording import recording
from captures.browser import browser_options
from captures.engine.errors import CaptureError
from captures.engine.host import EngineHost
from captures.requests import parse
from pieces.serve import make_server

RECORDED = ("orbit", "prism")
SIDE, FRAMES_A_SECOND, LENGTH_MS = 192, 30, 2000
LOOK_S = 0.5  # so that Ctrl-C is heard while a tape is recorded
NO_TAPE = b"<!doctype html><title>Not a tape</title>"
LARGEST_MESSAGE = 1 << 20


class NoSite(Exception):
    """It cannot be opened, or there is nothing that it could hand out: a sentence says why."""


class Handler(BaseHTTPRequestHandler):
    """GET /tapes/NAME.zip; POST /told/taken, /told/later (refuses the first message) or /told/never."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    server: DemoSite

    def do_GET(self) -> None:
        name = self.path.removeprefix("/tapes/").removesuffix(".zip")
        if name == "broken":
            self.answer(200, NO_TAPE)
        elif name == "busy":
            self.answer(503)
        elif name in self.server.tapes:
            self.answer(200, self.server.tapes[name])
        else:
            self.answer(404)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"] or 0)
        self.rfile.read(min(length, LARGEST_MESSAGE))
        manner = self.path.removeprefix("/told/").partition("/")[0]
        first = self.server.count(self.path) == 1
        self.answer(410 if manner == "never" else 503 if manner == "later" and first else 200)

    def answer(self, status: int, body: bytes = b"{}") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class DemoSite(ThreadingHTTPServer):
    """Listens at OVEN_DEMO_ORIGIN while it is open. `tapes` by name: whole ZIPs, of some hundred kilobytes."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, tapes: dict[str, bytes]) -> None:
        self.tapes = tapes
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        try:
            super().__init__(address(), Handler)
        except OSError as error:
            text = f"{settings.OVEN_DEMO_ORIGIN} cannot be opened ({error.strerror}); OVEN_DEMO_ORIGIN names another"
            raise NoSite(text) from None

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def count(self, path: str) -> int:
        with self._lock:
            self._asked[path] += 1
            return self._asked[path]


def address() -> tuple[str, int]:
    """Where to listen. Raises NoSite when the setting names no port of this machine."""
    parts = urlsplit(settings.OVEN_DEMO_ORIGIN)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost") or not parts.port:
        raise NoSite("OVEN_DEMO_ORIGIN is not an address like http://127.0.0.1:3999")
    return parts.hostname, parts.port


def record() -> dict[str, bytes]:
    """Tapes of some demo pieces, recorded now, by name. Raises NoSite.

    From pieces served for that alone: where Oven's own are served, only its workers know for sure.
    """
    with tempfile.TemporaryDirectory(prefix="oven-demo-") as scratch, make_server("127.0.0.1", 0) as pieces:
        threading.Thread(target=pieces.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        origin = f"http://127.0.0.1:{pieces.server_port}"
        try:
            with EngineHost(browser_options(origin)) as host:
                return {piece: _recorded(host, origin, piece, Path(scratch)) for piece in RECORDED}
        except CaptureError as error:
            raise NoSite(f"no tape could be recorded: {error.message.rstrip('.')}") from None
        finally:
            pieces.shutdown()


def _recorded(host: EngineHost, origin: str, piece: str, scratch: Path) -> bytes:
    fields = {"width": SIDE, "height": SIDE, "fps": FRAMES_A_SECOND, "duration": LENGTH_MS}
    spec = replace(parse({"piece": piece, **fields}).to_spec(), url=f"{origin}/{piece}?nogap=true&nolabel=true")
    future = host.capture(recording(spec, None), scratch)
    try:
        while True:
            try:
                return future.result(LOOK_S).path.read_bytes()
            except FutureTimeout:
                continue
    except BaseException:
        future.cancel()
        raise
