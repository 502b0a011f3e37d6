"""Limits of what is read from a connection at all: the head of a request, its body, and how long they may take.

Django spools a body of any length to disk before a view sees it, and the HTTP parser takes headers of any length.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from oven.http.errors import CORS

MOST_HEAD = 64 * 1024  # request line and headers, in bytes
HEAD_LIMIT_S = 20.0  # from the start of a connection, or of a further request, to the end of the headers
BODY_LIMIT_S = 60.0  # from there to the end of the body
TOO_LONG, TOO_SLOW = b"431 Request Header Fields Too Large", b"408 Request Timeout"
MOST_BODY = 1 << 20  # of the contract's routes less: see `oven.http.compat`
TOO_LARGE = f"The body is larger than {MOST_BODY // 1024} kB."


on_shutdown: list[Callable[[], None]] = []  # called in the event loop when the server is asked to stop


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


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, that hangs up on heads which are too long (431), and on what comes too slowly (408).

    A request that comes in one piece, as nearly all do, costs no timer.
    """

    _unread = _in_head = True  # some of a request is still to come; namely of its head
    _before = _piece = 0  # bytes of the head in earlier pieces, and in this one
    _timer: asyncio.TimerHandle | None = None
    _timed_head = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End what requests wait for, so that they are answered before the server closes."""
        for call in on_shutdown:
            call()
        super().shutdown()

    def on_message_begin(self) -> None:
        self._before, self._unread, self._in_head = 0, True, True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._before + self._piece > MOST_HEAD and self._head_bytes() > MOST_HEAD:
            self._hang_up(TOO_LONG)
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._unread, self._in_head = False, True
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._unread = False
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        self._piece = len(data)
        self._unread = self._unread or self.cycle is None or self.cycle.response_complete
        super().data_received(data)
        if not self._unread:
            self._stop_timer()
            return
        if self._in_head:
            self._before += len(data)
        if self._in_head and self._before > MOST_HEAD:
            self._hang_up(TOO_LONG)
        else:
            self._watch()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _watch(self) -> None:
        """A new timer when the head begins, and another one when the body does."""
        if self._timer is not None and self._timed_head == self._in_head:
            return
        self._stop_timer()
        self._timed_head = self._in_head
        limit_s = HEAD_LIMIT_S if self._in_head else BODY_LIMIT_S
        self._timer = self.loop.call_later(limit_s, self._hang_up, TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _hang_up(self, status: bytes) -> None:
        self._stop_timer()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            self.transport.close()
