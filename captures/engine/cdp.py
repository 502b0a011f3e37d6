"""The DevTools protocol over a pipe: JSON messages, each ended by a NUL byte. No port is opened."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any

F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 20  # a screenshot fits in one piece
LARGEST_ANSWER = 192 << 20  # bytes; above any screenshot that is asked for
LARGEST_EVENT = 4 << 20  # pages can make them as long as they like: what is longer is not looked at
EVENT = b'{"method"'

Handler = Callable[[dict[str, Any]], None]


class CdpError(Exception):
    """Chromium refused a call, or is gone."""


class Connection(asyncio.Protocol):
    """One browser's pipe. `lost` is done once the browser has gone."""

    def __init__(self) -> None:
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = bytearray()
        self._skipping = False  # the rest of a message that is too long
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._handlers: dict[tuple[str, str], list[Handler]] = defaultdict(list)
        self._next = 0
        self._out: asyncio.WriteTransport | None = None
        self._in: asyncio.BaseTransport | None = None

    @classmethod
    async def over(cls, reading: int, writing: int) -> Connection:
        """Takes two pipe ends over: they are closed with the connection."""
        loop = asyncio.get_running_loop()
        connection = cls()
        with contextlib.suppress(OSError):
            fcntl.fcntl(reading, F_SETPIPE_SZ, PIPE_BYTES)
        connection._in, _ = await loop.connect_read_pipe(lambda: connection, os.fdopen(reading, "rb", 0))
        connection._out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(writing, "wb", 0))
        return connection

    def call(self, method: str, params: dict[str, Any], session: str = "") -> asyncio.Future[dict[str, Any]]:
        """Sends a call at once; the future has the result, or CdpError."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        if self.lost.done() or self._out is None:
            answer.set_exception(CdpError("The browser is gone."))
            return answer
        self._next += 1
        message: dict[str, Any] = {"id": self._next, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._answers[self._next] = answer
        self._out.write(json.dumps(message).encode() + b"\0")
        return answer

    def on(self, session: str, method: str, handler: Handler) -> None:
        self._handlers[session, method].append(handler)

    def off(self, session: str, method: str, handler: Handler) -> None:
        self._handlers[session, method].remove(handler)

    def forget(self, session: str) -> None:
        """Drops a session's handlers."""
        for key in [key for key in self._handlers if key[0] == session]:
            del self._handlers[key]

    def close(self) -> None:
        for transport in (self._in, self._out):
            if transport is not None:
                transport.close()

    def data_received(self, data: bytes) -> None:
        *ends, rest = data.split(b"\0")
        for end in ends:
            self._take(end)
            message, self._buffer = self._buffer, bytearray()
            if message and not self._skipping:
                self._dispatch(json.loads(message))
            self._skipping = False
        self._take(rest)

    def _take(self, part: bytes) -> None:
        """A part of a message. Nothing of one that is too long is kept: it must not take our memory."""
        if self._skipping:
            return
        self._buffer += part
        if len(self._buffer) > (LARGEST_EVENT if self._buffer.startswith(EVENT) else LARGEST_ANSWER):
            self._buffer, self._skipping = bytearray(), True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(CdpError("The browser is gone."))
                answer.exception()  # whoever still waits sees it; nobody else has to
        self._answers.clear()

    def _dispatch(self, message: dict[str, Any]) -> None:
        if "id" in message:
            answer = self._answers.pop(message["id"], None)
            if answer is None or answer.done():
                return
            if "error" in message:
                answer.set_exception(CdpError(str(message["error"].get("message", message["error"]))))
            else:
                answer.set_result(message.get("result", {}))
            return
        for handler in self._handlers.get((message.get("sessionId", ""), message["method"]), ()):
            handler(message["params"])


class Session:
    """One attached target: a page or a worker. The empty id is the browser itself."""

    def __init__(self, connection: Connection, id_: str = "") -> None:
        self.connection, self.id = connection, id_

    def send(self, method: str, params: dict[str, Any] | None = None) -> asyncio.Future[dict[str, Any]]:
        return self.connection.call(method, params or {}, self.id)

    def on(self, method: str, handler: Handler) -> None:
        self.connection.on(self.id, method, handler)

    def off(self, method: str, handler: Handler) -> None:
        self.connection.off(self.id, method, handler)
