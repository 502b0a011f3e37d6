"""Limits of what is read from a connection at all: the head of a request, its body, and how long they may take.

Django spools a body of any length to disk before a view sees it, and the HTTP parser takes headers of any length.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from oven_site.contract import CORS

MOST_HEAD = 64 * 1024  # request line and headers, in bytes
HEAD_LIMIT_S = 20.0  # from the first byte of a connection, or of a further request, to the end of the headers
MOST_BODY = 1 << 20  # of the contract's routes less: see `oven_site.contract`
TOO_LARGE = f"The body is larger than {MOST_BODY // 1024} kB."


class BodyTooLarge(Exception):
    """The rest is not read."""


class BodyLimit:
    """Around an ASGI application: 413 once more than `most` bytes have come, whatever length was said."""

    def __init__(self, app: Any, most: int = MOST_BODY) -> None:
        self.app, self.most = app, most

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen, started = 0, False

        async def counted() -> dict[str, Any]:
            nonlocal seen
            message: dict[str, Any] = await receive()
            seen += len(message.get("body", b""))
            if seen > self.most:
                raise BodyTooLarge
            return message

        async def noted(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, counted, noted)
        except BodyTooLarge:
            if not started:
                await _refuse(send)


async def _refuse(send: Any) -> None:
    body = json.dumps({"error": TOO_LARGE, "field": "body", "limit": MOST_BODY}).encode()
    headers = {**CORS, "Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 413, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


class HeadLimit(HttpToolsProtocol):
    """uvicorn's own protocol, that hangs up on heads which are too long (431) or take too long (408)."""

    _head_bytes = _parsed = 0
    _head_done = False
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_LIMIT_S, self._hang_up, b"408 Request Timeout")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._head_bytes, self._head_done = 0, False
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_LIMIT_S, self._hang_up, b"408 Request Timeout")
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._parsed = len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._parsed += len(name) + len(value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_done = True
        self._stop_timer()
        if self._parsed > MOST_HEAD:  # all of it came at once
            self._hang_up(b"431 Request Header Fields Too Large")
        else:
            super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_done:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MOST_HEAD:
            self._hang_up(b"431 Request Header Fields Too Large")

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._head_timer = None

    def _hang_up(self, status: bytes) -> None:
        self._stop_timer()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.transport.close()
