"""An object store that can be made to misbehave: as much of S3 as a store needs, as a real server on this machine."""

from __future__ import annotations

import hashlib
import threading
import time
from email.utils import formatdate
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape  # nosec B406

NAME = "chaos"
SLOW_S = 6.0


class Mood(StrEnum):
    WELL = "well"
    ERRORS = "errors"  # 500 to every other request
    SLOW = "slow"  # each takes seconds
    DENIED = "denied"  # 403 to everything


class Object(NamedTuple):
    data: bytes
    written: float  # seconds since the epoch
    type: str


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    server: Bucket

    # --- verbs ---

    def do_PUT(self) -> None:
        data = self._body()
        if self._refused():
            return
        self.server.objects[self._key()] = Object(data, time.time(), self.headers.get("Content-Type") or "")
        self._answer(200)

    def do_GET(self) -> None:
        if self._refused():
            return
        query = parse_qs(urlsplit(self.path).query)
        if not self._key():
            self._answer(200, self._listing(query.get("prefix", [""])[0], query.get("delimiter", [""])[0]))
            return
        found = self.server.objects.get(self._key())
        self._answer(404) if found is None else self._answer(200, found.data, found)

    def do_HEAD(self) -> None:
        if self._refused():
            return
        found = self.server.objects.get(self._key())
        self._answer(404) if found is None else self._answer(200, b"", found)

    def do_DELETE(self) -> None:
        if self._refused():
            return
        self.server.objects.pop(self._key(), None)
        self._answer(204)

    # --- parts of them ---

    def _refused(self) -> bool:
        """Whether the bucket's mood has answered already."""
        mood = self.server.mood
        if mood is Mood.SLOW:
            time.sleep(SLOW_S)
        if mood is Mood.DENIED:
            self._answer(403, _error("AccessDenied"))
            return True
        if mood is Mood.ERRORS and self.server.turn():
            self._answer(500, _error("InternalError"))
            return True
        return False

    def _key(self) -> str:
        return unquote(urlsplit(self.path).path.lstrip("/").removeprefix(NAME)).lstrip("/")

    def _listing(self, prefix: str, delimiter: str) -> bytes:
        keys = sorted(key for key in list(self.server.objects) if key.startswith(prefix))
        deeper = {key for key in keys if delimiter and delimiter in key[len(prefix) :]}
        folders = sorted({prefix + key[len(prefix) :].split(delimiter)[0] + delimiter for key in deeper})
        found = [f"<Contents><Key>{escape(key)}</Key></Contents>" for key in keys if key not in deeper]
        found += [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders]
        inner = "<IsTruncated>false</IsTruncated>" + "".join(found)
        return f"<ListBucketResult>{inner}</ListBucketResult>".encode()

    def _body(self) -> bytes:
        """Plain, or in the pieces that signed uploads come in."""
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        ways = self.headers.get("Content-Encoding", "") + self.headers.get("Transfer-Encoding", "")
        if "chunked" not in ways:
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue  # what follows the last piece: checksums
        return b"".join(pieces)

    def _answer(self, status: int, body: bytes = b"", found: Object | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(found.data) if found else len(body)))
        if found:
            self.send_header("Last-Modified", formatdate(found.written, usegmt=True))
            self.send_header("Content-Type", found.type)
            self.send_header("ETag", f'"{hashlib.md5(found.data, usedforsecurity=False).hexdigest()}"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Bucket(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.objects: dict[str, Object] = {}
        self.mood = Mood.WELL
        self._turns = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def turn(self) -> bool:
        """True every other time."""
        self._turns += 1
        return self._turns % 2 == 1

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that was killed leaves in the middle of an upload."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>by intent</Message></Error>".encode()
