"""How many websockets one anonymous client may have open."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.conf import settings

from oven.accounts.clients import named

TOO_MANY = 4429  # a close code of our own, after the HTTP status


class SocketLimit:
    """Refuses websockets of a client that has OVEN_CLIENT_SOCKETS in this process; signed-in users have no limit.

    It stands within the middleware that finds the user.
    """

    def __init__(self, app: Any) -> None:
        self.inner = app
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["user"].is_authenticated:
            await self.inner(scope, receive, send)
            return
        client = named((scope.get("client") or ("",))[0])
        if self._open[client] >= settings.OVEN_CLIENT_SOCKETS:
            await receive()
            await send({"type": "websocket.close", "code": TOO_MANY})
            return
        self._open[client] += 1
        try:
            await self.inner(scope, receive, send)
        finally:
            self._open[client] -= 1
            if not self._open[client]:
                del self._open[client]
