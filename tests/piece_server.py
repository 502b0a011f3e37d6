"""A piece site for tests: the demo pieces, hostile fixtures and a request log.

with PieceServer() as site:
    capture(f"{site.origin}/tc-canvas?density=1")
    assert site.count("/tc-canvas") == 1
"""

from __future__ import annotations

import re
import select
import struct
import sys
import threading
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pieces.serve import HTML, JAVASCRIPT, PieceHandler, Query, first, make_server

FIXTURES = Path(__file__).resolve().parent / "fixtures" / "pieces"
NAME = re.compile(r"[a-z0-9-]+")
POLL_SECONDS = 0.1

DRAWN = (
    "<!doctype html><title>{0}</title><style>html{{background:#803030;color:#fff;"
    "font:48px sans-serif;padding:40px}}</style><h1>{0}</h1>"
)


class TestPieceHandler(PieceHandler):
    """The demo site with fixtures in front of it and routes that misbehave."""

    __test__ = False  # not a test class
    owner: PieceServer

    def do_GET(self) -> None:
        if self.owner.closing.is_set():  # a connection kept since before
            self.close_connection = True
            return
        self.owner.note(self.command, self.path)
        super().do_GET()

    do_HEAD = do_GET

    def respond(self, path: str, query: Query) -> None:
        name = path.lstrip("/").split("~")[0]
        if route := ROUTES.get(name):
            route(self, query)
        elif NAME.fullmatch(name) and (FIXTURES / f"{name}.html").is_file():
            self.send_body((FIXTURES / f"{name}.html").read_bytes(), HTML)
        elif path.startswith("/fixtures/") and path.endswith(".js"):
            self.send_script(path.removeprefix("/fixtures/"))
        else:
            super().respond(path, query)

    def send_script(self, name: str) -> None:
        file = FIXTURES / name
        if NAME.fullmatch(file.stem) and file.parent == FIXTURES and file.is_file():
            self.send_body(file.read_bytes(), JAVASCRIPT)
        else:
            self.send_missing(f"/fixtures/{name}")

    # Routes that misbehave ---------------------------------------------------

    def redirect(self, query: Query) -> None:
        """Redirect for ever, each time to a new address."""
        hop = int(first(query, "hop", "0")) + 1
        self.send_body(b"", HTML, 302, {"Location": f"/bad-redirect?hop={hop}"})

    def fail(self, status: int) -> None:
        self.send_body(DRAWN.format(f"Error {status}").encode(), HTML, status)

    def hang(self, query: Query) -> None:
        """Answer nothing until the reader leaves or the server closes."""
        self.close_connection = True
        while self.wanted():
            time.sleep(POLL_SECONDS)

    def trickle(self, query: Query) -> None:
        """Send a page a byte a second, far longer than anyone waits."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", HTML)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        page = b"<!doctype html><title>slow</title><p>" + b"slow " * 100
        due = time.monotonic()
        for i in range(len(page)):
            if not self.wanted():
                return
            self.wfile.write(page[i : i + 1])
            self.wfile.flush()
            due += 1
            while self.wanted() and time.monotonic() < due:
                time.sleep(POLL_SECONDS)

    def drop(self, query: Query) -> None:
        self.close_connection = True

    def bomb(self, query: Query) -> None:
        self.send_body(bomb(), "image/png")

    def attachment(self, query: Query) -> None:
        headers = {"Content-Disposition": 'attachment; filename="bad.bin"'}
        self.send_body(bytes(4096), "application/octet-stream", headers=headers)

    def wanted(self) -> bool:
        """Whether the server is open and the reader still there."""
        if self.owner.closing.is_set():
            return False
        readable, _, _ = select.select([self.connection], [], [], 0)
        return not readable


@cache
def bomb(side: int = 16_000) -> bytes:
    """A picture of some kilobytes that unpacks to a gigabyte."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    data = b"".join(packer.compress(row * 500) for _ in range(side // 500)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


ROUTES: dict[str, Callable[[TestPieceHandler, Query], None]] = {
    "bad-redirect": TestPieceHandler.redirect,
    "bad-404": lambda handler, query: handler.fail(404),
    "bad-500": lambda handler, query: handler.fail(500),
    "bad-hang": TestPieceHandler.hang,
    "bad-slow-body": TestPieceHandler.trickle,
    "bad-drop": TestPieceHandler.drop,
    "bad-stuck.png": TestPieceHandler.hang,
    "bad-stuck.js": TestPieceHandler.hang,
    "bad-download.bin": TestPieceHandler.attachment,
    "bad-bomb.png": TestPieceHandler.bomb,
}


class PieceServer:
    """The test site on a free local port, in a thread of its own."""

    def __init__(self, host: str = "127.0.0.1", handler: type[TestPieceHandler] = TestPieceHandler) -> None:
        self._lock = threading.Lock()
        self._requests: list[tuple[str, str]] = []
        self.closing = threading.Event()
        self._server = make_server(host, 0, type("OwnedHandler", (handler,), {"owner": self}))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()
        self.port: int = self._server.server_port
        self.origin = f"http://{host}:{self.port}"

    @property
    def requests(self) -> list[tuple[str, str]]:
        """A copy of the requests so far: (method, raw path with query)."""
        with self._lock:
            return list(self._requests)

    def count(self, prefix: str) -> int:
        """How many requests had a raw path that starts with the prefix."""
        return sum(path.startswith(prefix) for _, path in self.requests)

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()

    def close(self) -> None:
        if not self.closing.is_set():
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)

    def note(self, method: str, path: str) -> None:
        """Record a request."""
        with self._lock:
            self._requests.append((method, path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
