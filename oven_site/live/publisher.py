"""Sends events without ever holding up the work that they are about.

Every process has one background thread with an event loop. An event that cannot be sent is dropped: every reader
can fetch the state from the database, and does so when it sees a gap in the sequence numbers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from redis import asyncio as aioredis

log = logging.getLogger(__name__)
SEQUENCE_KEY = "oven:live:seq"
LOG_KEY = "oven:live:log"
LOG_KEPT = 1000
MAX_PENDING = 1000


class Publisher:
    def __init__(self) -> None:
        self._pid = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._redis: Any = None
        self._turn: asyncio.Lock | None = None
        self._pending = 0

    def send(self, event: dict[str, Any], groups: list[str], keep_log: bool = False) -> None:
        loop = self._ensure()
        if self._pending >= MAX_PENDING:
            return
        self._pending += 1
        asyncio.run_coroutine_threadsafe(self._send(event, groups, keep_log), loop)

    def flush(self, timeout: float = 5.0) -> None:
        """Waits until everything sent so far is out (tests, and processes about to end)."""
        deadline = time.monotonic() + timeout
        while self._pending and time.monotonic() < deadline:
            time.sleep(0.01)

    async def _send(self, event: dict[str, Any], groups: list[str], keep_log: bool) -> None:
        assert self._turn is not None
        try:
            async with self._turn:  # events keep their order
                event["seq"] = await self._redis.incr(SEQUENCE_KEY)
                event["at"] = round(time.time() * 1000)
                if keep_log:
                    await self._redis.lpush(LOG_KEY, json.dumps(event["entry"]))
                    await self._redis.ltrim(LOG_KEY, 0, LOG_KEPT - 1)
                layer = get_channel_layer()
                for group in groups:
                    await layer.group_send(group, {"type": "oven.event", "event": event})
        except Exception as error:
            log.warning("event %s dropped: %s", event.get("type"), error)
        finally:
            self._pending -= 1

    def _ensure(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():  # a fork inherits no threads
                self._pid, self._pending = os.getpid(), 0
                self._loop = asyncio.new_event_loop()
                self._redis = aioredis.from_url(settings.REDIS_URL)
                self._turn = asyncio.Lock()
                threading.Thread(target=self._loop.run_forever, name="publisher", daemon=True).start()
            return self._loop


_publisher = Publisher()


def publish(event: dict[str, Any], groups: list[str], keep_log: bool = False) -> None:
    """Sends an event to reader groups; never blocks, never fails."""
    _publisher.send(event, groups, keep_log)


def flush() -> None:
    _publisher.flush()
