"""Pinning services as real HTTP servers on this machine: one that speaks Pinata's API, and kubo's, at one address.

It computes CIDs by itself from what it was sent, and counts what it has pinned.
"""

from __future__ import annotations

import email.parser
import email.policy
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from pins.ipfs.cid import PROFILES, of_chunks, parse

Behaviour = Callable[["Handler", "Upload"], None]
ELSE = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"  # of "hello world"


@dataclass
class Upload:
    """One file that came in, with the fields beside it."""

    path: str
    headers: dict[str, str]
    filename: str
    data: bytes
    fields: dict[str, str]
    at: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """What Pinata calls it."""
        return str(json.loads(self.fields["pinataMetadata"])["name"]) if "pinataMetadata" in self.fields else ""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PinningServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.lookups:
            self.answer(self.server.lookups.pop(0), b"not today")
        else:
            query = parse_qs(urlsplit(self.path).query)
            name, cid = query.get("metadata[name]", [""])[0], query.get("hashContains", [""])[0]
            rows = [
                {"ipfs_pin_hash": pinned}
                for pinned, known in self.server.pinned.items()
                if name in known and cid in pinned
            ]
            self.answer(200, json.dumps({"count": len(rows), "rows": rows}).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.path.startswith("/api/v0/pin/ls"):
            self._pin_ls()
            return
        upload = _upload(self, body)
        with self.server.lock:
            self.server.uploads.append(upload)
            behaviour = self.server.answers.pop(0) if self.server.answers else 200
        if callable(behaviour):
            behaviour(self, upload)
        elif behaviour == 200:
            self.pin(upload)
        else:
            self.answer(behaviour, b"no")

    def _pin_ls(self) -> None:
        self.server.asked.append(self.path)
        cid = parse_qs(urlsplit(self.path).query)["arg"][0]
        if self.server.lookups:
            self.answer(self.server.lookups.pop(0), b"not today")
        elif cid in self.server.pinned:
            self.answer(200, json.dumps({"Keys": {cid: {"Type": "recursive"}}}).encode())
        else:
            self.answer(500, json.dumps({"Message": f"path '{cid}' is not pinned", "Code": 0}).encode())

    def pin(self, upload: Upload, answer: bool = True) -> None:
        """Pins it, and says so unless `answer` is false."""
        cid = self.server.keep(upload)
        if answer:
            self.answer(200, _good(upload, cid))

    def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class PinningServer(ThreadingHTTPServer):
    """`answers`: what the next uploads get (200 when none is left); `lookups`: statuses of the next look-ups.

    `pinned`: names by CID; `times`: how often each CID was pinned; `profile`: how it makes CIDs, if not as it is told.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[int | Behaviour] = []
        self.lookups: list[int] = []
        self.uploads: list[Upload] = []
        self.asked: list[str] = []
        self.pinned: dict[str, str] = {}
        self.times: dict[str, int] = {}
        self.profile = ""
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

    def keep(self, upload: Upload) -> str:
        profile = next(profile for profile in PROFILES if profile.name == (self.profile or _profile_of(upload)))
        cid = of_chunks(iter([upload.data]), [profile])[profile.name].text(profile.version)
        with self.lock:
            self.pinned[cid] = upload.name
            self.times[cid] = self.times.get(cid, 0) + 1
        return cid


def _profile_of(upload: Upload) -> str:
    """What the client asks for."""
    if "pinataOptions" in upload.fields:
        version = json.loads(upload.fields["pinataOptions"])["cidVersion"]
    else:
        version = int(parse_qs(urlsplit(upload.path).query)["cid-version"][0])
    return {0: "v0-256k", 1: "v1-256k"}[version]


def _good(upload: Upload, cid: str) -> bytes:
    if upload.path.startswith("/pinning/"):
        return json.dumps({"IpfsHash": cid, "PinSize": len(upload.data), "Timestamp": "2026-11-24"}).encode()
    return json.dumps({"Name": upload.filename, "Hash": cid, "Size": str(len(upload.data))}).encode() + b"\n"


def _upload(handler: Handler, body: bytes) -> Upload:
    head = f"Content-Type: {handler.headers['Content-Type']}\r\n\r\n".encode()
    message: Any = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    found = Upload(handler.path, {name.lower(): value for name, value in handler.headers.items()}, "", b"", {})
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if part.get_filename():
            found.filename, found.data = part.get_filename(), part.get_payload(decode=True)
        else:
            found.fields[name] = part.get_payload(decode=True).decode()
    return found


# --- ways to answer -------------------------------------------------------------------------------------------------


def wait(seconds: str) -> Behaviour:
    """429, with the seconds to wait."""
    return lambda handler, upload: handler.answer(429, b"slow down", Retry_After=seconds)


def hang(seconds: float, pinned: bool = False) -> Behaviour:
    """Says nothing; `pinned`: although it has pinned the file."""

    def behave(handler: Handler, upload: Upload) -> None:
        if pinned:
            handler.pin(upload, answer=False)
        time.sleep(seconds)

    return behave


def cut(handler: Handler, upload: Upload) -> None:
    """Pins, and answers with half of its words."""
    body = _good(upload, handler.server.keep(upload))
    handler.answer(200, body[: len(body) // 2])


def wrong(handler: Handler, upload: Upload) -> None:
    """Answers with the CID of another file."""
    handler.answer(200, _good(upload, ELSE))


def in_base58(handler: Handler, upload: Upload) -> None:
    """As old nodes spell version 1."""
    cid = handler.server.keep(upload)
    binary = bytes([1, parse(cid).codec]) + b"\x12\x20" + parse(cid).digest
    number, digits = int.from_bytes(binary, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[digit] + digits
    handler.answer(200, _good(upload, "z" + digits))


def tell_tale(handler: Handler, upload: Upload) -> None:
    """Refuses the credentials, and repeats them."""
    handler.answer(401, json.dumps({"error": "INVALID_KEYS", "got": dict(handler.headers)}).encode())
