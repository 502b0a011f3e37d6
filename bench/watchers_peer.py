"""The plain way: every socket has a group membership, a timer and a serialisation of its own.

`uvicorn bench.watchers_peer:application` serves it on `/ws/live`, from the same stream and database as Oven.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oven_site.settings")

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from django.urls import re_path  # noqa: E402

EVERY_S = 0.2


class PlainConsumer(AsyncWebsocketConsumer):
    """The newest progress of a job replaces the one not yet sent; what there is goes out every 200 ms."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._progress: dict[str, dict[str, Any]] = {}
        self._others: list[dict[str, Any]] = []
        self._timer: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        if not self.scope["user"].is_staff:
            await self.close(code=4403)
            return
        await self.accept()
        await self.channel_layer.group_add("live", self.channel_name)
        self._timer = asyncio.create_task(self._send_for_ever())
        await self.send(text_data=json.dumps({"type": "hello", "seq": 0, "version": ""}))

    async def disconnect(self, code: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self.channel_layer.group_discard("live", self.channel_name)

    async def oven_event(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event["type"] == "job.progress":
            self._progress[event["job"]["id"]] = event
            return
        if "job" in event:
            self._progress.pop(event["job"]["id"], None)
        self._others.append(event)

    async def _send_for_ever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            batch = sorted([*self._others, *self._progress.values()], key=lambda event: int(event["seq"]))
            self._others, self._progress = [], {}
            if batch:
                await self.send(text_data=json.dumps({"type": "batch", "events": batch, "seq": batch[-1]["seq"]}))


application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AuthMiddlewareStack(URLRouter([re_path(r"^ws/live/?$", PlainConsumer.as_asgi())])),
    }
)
