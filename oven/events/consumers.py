"""The two websockets: `/ws` with the contract's shapes, `/ws/live` with typed events. Readers only read."""

from __future__ import annotations

from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from oven.events import permissions
from oven.events.broadcast import Audience, Watcher
from oven.events.hub import Hub

MAX_FRAME = 64 * 1024  # bytes; nobody has anything to say
TOO_BIG = 1009


class _Reader(AsyncWebsocketConsumer):
    """A socket that the hub writes to."""

    channel_layer_alias = None  # the hub reads the stream for all
    _watcher: Watcher | None = None

    async def watch(self, hub: Hub, audience: Audience) -> None:
        await self.accept()
        await hub.listen()
        self._watcher = Watcher(self._write, self.close, self.allowed)
        self._watcher.join(audience)

    async def disconnect(self, code: int) -> None:
        if self._watcher is not None:
            self._watcher.leave()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Whatever a reader says is ignored, unless it is long."""
        if len(text_data or "") > MAX_FRAME or len(bytes_data or b"") > MAX_FRAME:
            await self.close(TOO_BIG)

    async def allowed(self) -> bool:
        return True

    async def _write(self, text: str) -> None:
        await self.send(text_data=text)


class ContractConsumer(_Reader):
    """`/ws`: one snapshot, then whole states and log lines, as readers of the original service expect."""

    @classmethod
    def refuse(cls) -> Any:
        async def refuse(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "websocket.close", "code": 4404})

        return refuse

    async def connect(self) -> None:
        hub = Hub.current()
        await self.watch(hub, hub.contract)


class LiveConsumer(_Reader):
    """`/ws/live`: for who may watch jobs; for everybody what is public, where the settings say so."""

    _watches = False

    async def connect(self) -> None:
        hub = Hub.current()
        self._watches = await permissions.may_watch(self.scope["user"].pk, anew=True)
        if not self._watches and not settings.OVEN_PUBLIC_LIVE:
            await self.close(code=4403)
            return
        await self.watch(hub, hub.live if self._watches else hub.public)

    async def allowed(self) -> bool:
        """Looked at again while sending: a user may lose the right while connected."""
        return not self._watches or await permissions.may_watch(self.scope["user"].pk)
