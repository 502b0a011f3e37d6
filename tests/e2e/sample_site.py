"""A small site that shows Oven's pictures: its pages, and a proxy that passes some paths on, as the documentation says."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

PASSED_ON = ("/icon/", "/preview/", "/files/art/")
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "date", "server"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: SampleSite

    def do_GET(self) -> None:
        if self.path.startswith(PASSED_ON):
            self.pass_on()
        else:
            page = self.server.pages.get(self.path, "").encode()
            self.send_response(200 if page else 404)
            self.finish_head({"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(page))}, page)

    do_HEAD = do_GET

    def pass_on(self) -> None:
        """The path as it came, and the answer as it is: no redirect is followed."""
        wanted = {name: self.headers[name] for name in ("If-None-Match", "Origin", "Range") if name in self.headers}
        request = self.server.client.build_request(self.command, self.server.oven, headers=wanted)
        request.url = request.url.copy_with(raw_path=self.path.encode())
        answer = self.server.client.send(request)
        self.server.passed.append((self.path, answer.status_code))
        self.send_response(answer.status_code)
        kept = {name: value for name, value in answer.headers.items() if name not in HOP_BY_HOP}
        self.finish_head({"content-length": "0", **kept}, answer.content)

    def finish_head(self, headers: dict[str, str], body: bytes) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class SampleSite(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, oven: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.oven = oven
        self.client = httpx.Client(timeout=60)
        self.pages: dict[str, str] = {}
        self.passed: list[tuple[str, int]] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.shutdown()
        self.server_close()
        self.client.close()
