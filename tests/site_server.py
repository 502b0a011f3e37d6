"""A site for bakes: hands out tapes and takes callbacks, as a real HTTP server on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote

Behaviour = Callable[["Handler"], None]


@dataclass
class Received:
    """One callback."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        site = self.server
        site.fetched.append(self.path)
        behaviour = site.pages.get(unquote(self.path))
        if behaviour is None:
            self.answer(404)
        elif callable(behaviour):
            behaviour(self)
        else:
            self.answer(200, behaviour)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        site = self.server
        received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        with site.lock:
            site.received.append(received)
            behaviour = site.answers.pop(0) if site.answers else 200
        if callable(behaviour):
            behaviour(self)
        else:
            self.answer(behaviour)

    def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Site(ThreadingHTTPServer):
    """`pages` by path: bytes, or what answers. `answers`: what the next callbacks get (200 when none is left)."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, bytes | Behaviour] = {}
        self.answers: list[int | Behaviour] = []
        self.received: list[Received] = []
        self.fetched: list[str] = []
        self.lock = threading.Lock()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def of(self, code: str) -> list[Received]:
        """Callbacks about a tape."""
        return [received for received in list(self.received) if received.json.get("code") == code]

    def wish(self, code: str = "abc123", tape: str = "/tapes/tape.zip", **fields: Any) -> dict[str, Any]:
        """A good body for POST /bake."""
        return {
            "mongoId": "65a000000000000000000001",
            "slug": "2026.11.24.6.30",
            "code": code,
            "zipUrl": f"{self.origin}{tape}",
            "callbackUrl": f"{self.origin}/api/oven-complete",
            "callbackSecret": "shared",
            **fields,
        }


def hang(seconds: float) -> Behaviour:
    """Takes the request and says nothing."""
    return lambda handler: time.sleep(seconds)
