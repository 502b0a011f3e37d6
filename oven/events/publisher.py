"""Sends events without ever holding up the work that they are about.

Every process has one background thread with an event loop. An event that cannot be sent is dropped: every reader
can fetch the state from the database, and does so when it sees a gap in the sequence numbers. Dropped events leave
such a gap, told by a `missed` event when no other follows. Only what goes to the live group is numbered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import threading
import time
from typing import Any

from channels.layers import get_channel_layer

from oven import redis

log = logging.getLogger(__name__)
SEQUENCE_KEY = "oven:live:seq"
LOG_KEY = "oven:live:log"
LOG_KEPT = 1000
MAX_PENDING = 1000
MEND_S = 0.5
LIVE_GROUP = "live"


class Publisher:
    def __init__(self) -> None:
        self._pid = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._redis: Any = None
        self._turn: asyncio.Lock | None = None
        self._pending = 0
        self._dropped = 0
        self._mending = False

    def send(self, event: dict[str, Any], groups: list[str], keep_log: bool = False) -> None:
        if not groups:
            return
        loop = self._ensure()
        if self._pending >= MAX_PENDING:
            self._dropped += LIVE_GROUP in groups
            return
        self._pending += 1
        asyncio.run_coroutine_threadsafe(self._send(event, groups, keep_log), loop)

    def flush(self, timeout: float = 5.0) -> None:
        """Waits until everything sent so far is out (tests, and processes about to end)."""
        deadline = time.monotonic() + timeout
        while self._pending and time.monotonic() < deadline:
            time.sleep(0.01)

    async def _send(self, event: dict[str, Any], groups: list[str], keep_log: bool) -> None:
        try:
            await self._out(event, groups, keep_log)
        except Exception as error:
            log.warning("event %s dropped: %s", event.get("type"), error)
            self._dropped += LIVE_GROUP in groups
            self._mend()
        finally:
            self._pending -= 1

    async def _out(self, event: dict[str, Any], groups: list[str], keep_log: bool = False) -> None:
        assert self._turn is not None
        async with self._turn:  # events keep their order
            event["seq"] = await self._number() if LIVE_GROUP in groups else 0
            event["at"] = round(time.time() * 1000)
            if keep_log:
                await self._redis.lpush(LOG_KEY, json.dumps(event["entry"]))
                await self._redis.ltrim(LOG_KEY, 0, LOG_KEPT - 1)
            layer = get_channel_layer()
            for group in groups:
                await layer.group_send(group, {"type": "oven.event", "event": event})

    async def _number(self) -> int:
        """The next one, after one for each that was dropped."""
        dropped = self._dropped
        number: int = await self._redis.incrby(SEQUENCE_KEY, dropped + 1)
        self._dropped -= dropped
        return number

    def _mend(self) -> None:
        """Goes on trying to say that something was missed."""
        if not self._mending:
            self._mending = True
            self._mender = asyncio.ensure_future(self._say_missed())

    async def _say_missed(self) -> None:
        while self._dropped:
            await asyncio.sleep(MEND_S)
            with contextlib.suppress(Exception):
                await self._out({"type": "missed"}, [LIVE_GROUP])
        self._mending = False

    def _ensure(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():  # a fork inherits no threads
                self._pid, self._pending = os.getpid(), 0
                self._dropped, self._mending = 0, False
                self._loop = asyncio.new_event_loop()
                self._redis = redis.async_client()
                self._turn = asyncio.Lock()
                threading.Thread(target=self._loop.run_forever, name="publisher", daemon=True).start()
            return self._loop


_publisher = Publisher()


def publish(event: dict[str, Any], groups: list[str], keep_log: bool = False) -> None:
    """Sends an event to reader groups; never blocks, never fails."""
    _publisher.send(event, groups, keep_log)


def flush() -> None:
    _publisher.flush()
