"""The two websockets: `/ws` with the contract's shapes, `/ws/live` with typed events for staff."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError

from oven_site.live import events, progress, snapshot

log = logging.getLogger(__name__)
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _Consumer(AsyncWebsocketConsumer):
    """Reads the event stream; sends at most five times a second; ignores what the client says."""

    _flusher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.accept()
        await self.channel_layer.group_add(events.LIVE_GROUP, self.channel_name)
        self._flusher = asyncio.create_task(self._flush_for_ever())

    async def disconnect(self, code: int) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
        await self.channel_layer.group_discard(events.LIVE_GROUP, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Readers only read."""

    async def oven_event(self, message: dict[str, Any]) -> None:
        """Called by the channel layer for every event."""
        raise NotImplementedError

    async def flush(self) -> None:
        raise NotImplementedError

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(events.MIN_INTERVAL_S)
            try:
                await self.flush()
            except Exception as error:  # the next one may work: the database or the queue may be back
                log.debug("nothing sent to a reader: %s", error)

    async def send_dict(self, content: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(content, default=str))


class ContractConsumer(_Consumer):
    """`/ws`: one snapshot, then whole states and log lines, as readers of the original service expect."""

    _changed: float | None = None  # when, if there is something to tell
    _frozen_too = False

    @classmethod
    def refuse(cls) -> Any:
        async def refuse(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "websocket.close", "code": 4404})

        return refuse

    async def connect(self) -> None:
        await self.start()
        await self.send_dict(await sync_to_async(snapshot.full)())
        events.log("info", "A reader connected")

    async def oven_event(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event["type"] == "log":
            entry = {name: event["entry"][name] for name in ("time", "type", "icon", "msg")}
            await self.send_dict({"logEntry": entry})
            return
        if event["type"] == "vitals":  # for staff only, and nothing that these readers show
            return
        self._changed = time.monotonic()
        of_tapes = event["type"] == "tape.announced" or event.get("job", {}).get("kind") == "bake"
        self._frozen_too |= event["type"] == "frozen.changed" or of_tapes

    async def flush(self) -> None:
        if self._changed is None:
            return
        changed = self._changed
        state = await snapshot.shared_state(changed, with_frozen=self._frozen_too)
        if state is None:  # too early to look again: next time
            return
        if self._changed == changed:
            self._changed, self._frozen_too = None, False
        await self.send_dict(state)


class LiveConsumer(_Consumer):
    """`/ws/live`: typed events for signed-in staff. The newest progress of a job replaces the one not yet sent."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._progress: dict[str, dict[str, Any]] = {}
        self._others: list[dict[str, Any]] = []
        self._checked = 0.0

    async def connect(self) -> None:
        if not await sync_to_async(self._allowed)(self.scope["user"]):
            await self.close(code=4403)
            return
        await self.start()
        seq = await sync_to_async(_sequence)()
        await self.send_dict({"type": "hello", "seq": seq, "version": snapshot.version()})

    async def oven_event(self, message: dict[str, Any]) -> None:
        event = message["event"]
        if event["type"] == "job.progress":
            self._progress[event["job"]["id"]] = event
            return
        if "job" in event:
            self._progress.pop(event["job"]["id"], None)
        self._others.append(event)

    async def flush(self) -> None:
        batch = sorted([*self._others, *self._progress.values()], key=lambda event: int(event["seq"]))
        self._others, self._progress = [], {}  # before anything is awaited: events go on arriving
        if batch and await self._still_allowed():
            await self.send_dict({"type": "batch", "events": batch, "seq": batch[-1]["seq"]})

    async def _still_allowed(self) -> bool:
        """Permission is looked at again while sending: a user may lose it while connected."""
        if time.monotonic() - self._checked <= 10:
            return True
        self._checked = time.monotonic()
        user = self.scope["user"]
        try:
            await sync_to_async(user.refresh_from_db)()
            allowed = await sync_to_async(self._allowed)(user)
        except ObjectDoesNotExist:
            allowed = False
        except DatabaseError:  # the next look will tell
            return True
        if not allowed:
            await self.close(code=4403)
        return allowed

    @staticmethod
    def _allowed(user: Any) -> bool:
        watches = user.is_authenticated and user.is_active and user.is_staff and user.has_perm("jobs.watch")
        return bool(watches or settings.OVEN_PUBLIC_LIVE)


def _sequence() -> int:
    from oven_site.live.publisher import SEQUENCE_KEY

    value: Any = progress.client().get(SEQUENCE_KEY)
    return int(value or 0)
