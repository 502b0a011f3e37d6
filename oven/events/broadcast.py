"""Who watches with the same rights, and what all of them are told at once.

Something to tell goes out at once when nothing has gone out for 200 ms, and otherwise when these are over: nobody
gets more than five messages a second. Every reader has a short queue: who does not keep up is told to start anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async

from oven.events import snapshot, stream
from oven.single_flight import FreshFlight

log = logging.getLogger(__name__)
TOGETHER_S = 0.01  # what happens together goes out together
REMIND_S = 0.4
STUCK_S = 20.0  # a reader that takes nothing for so long has gone
TRY_AGAIN, REFUSED = 1013, 4403  # close codes
Check = Callable[[], Awaitable[bool]]


def written(content: dict[str, Any]) -> str:
    return json.dumps(content, default=str)


class Watcher:
    """One socket: `send` a text, `close` with a code, `may` it still read. Its queue is its own."""

    def __init__(self, send: Callable[[str], Awaitable[None]], close: Callable[[int], Awaitable[None]], may: Check):
        self._send, self._close, self._may = send, close, may

    def join(self, audience: Audience) -> None:
        self.audience = audience
        self._texts: asyncio.Queue[str | None] = asyncio.Queue(audience.kept)
        self._texts.put_nowait(None)
        audience.watchers.add(self)
        self._writer = asyncio.create_task(self._write())

    def leave(self) -> None:
        self.audience.drop(self)
        self._writer.cancel()

    def put(self, text: str) -> None:
        try:
            self._texts.put_nowait(text)
        except asyncio.QueueFull:
            self.start_anew()

    def start_anew(self) -> None:
        """Whatever it has not read yet is void: it gets what a new reader gets."""
        while not self._texts.empty():
            self._texts.get_nowait()
        self._texts.put_nowait(None)

    async def _write(self) -> None:
        code = TRY_AGAIN
        try:
            while await self._told_next():
                pass
            code = REFUSED
        except Exception as error:  # it has gone or is stuck; or the database is away, and it comes again
            log.debug("a reader is left: %s", error)
        finally:
            self.audience.drop(self)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(STUCK_S):
                await self._close(code)

    async def _told_next(self) -> bool:
        """Sends the next text; False when it may not read any more."""
        text = await self._texts.get()
        if not await self._may():
            return False
        if text is None:
            text = await self.audience.first()
        async with asyncio.timeout(STUCK_S):
            await self._send(text)
        return True


class Audience(ABC):
    """Gathers events; `flush` tells them to all watchers."""

    kept = 32  # messages that a reader may be behind

    def __init__(self) -> None:
        self.watchers: set[Watcher] = set()
        self._told = 0.0  # when the last message went out (monotonic)
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None

    @abstractmethod
    async def first(self) -> str:
        """What a reader is told that knows nothing yet."""

    @abstractmethod
    def take(self, event: dict[str, Any]) -> None:
        """Keeps an event until the next flush."""

    @abstractmethod
    async def gathered(self) -> str | None:
        """What there is to tell, as one message. It may raise: it is asked again."""

    @abstractmethod
    def forget(self) -> None:
        """Lets go of everything gathered."""

    def hello(self) -> None:
        """Everybody starts anew: something was lost."""
        self.forget()
        for watcher in self.watchers:
            watcher.start_anew()

    @abstractmethod
    def remind(self) -> None:
        """Called twice a second: lets readers notice that they missed the last message."""

    def drop(self, watcher: Watcher) -> None:
        self.watchers.discard(watcher)
        if not self.watchers:
            self.forget()

    def tell(self, text: str) -> None:
        for watcher in self.watchers:
            watcher.put(text)

    def soon(self) -> None:
        """A message goes out as soon as the last one is 200 ms ago."""
        if self._timer is None and self._flushing is None:
            wait = max(TOGETHER_S, self._told + stream.MIN_INTERVAL_S - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait, self._start)

    def _start(self) -> None:
        self._timer = None
        self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        again = False
        self._told = time.monotonic()
        try:
            text = await self.gathered()
            if text is not None:
                self.tell(text)
        except Exception as error:  # the next try may do: the database or the queue may be back
            log.debug("nothing told: %s", error)
            again = True
        self._flushing = None
        if again or self.waiting:
            self.soon()

    @property
    @abstractmethod
    def waiting(self) -> bool:
        """Whether something is gathered."""


class LiveAudience(Audience):
    """`/ws/live`: batches of typed events. The newest progress of a job replaces the one not yet told.

    A batch says after which number it comes: a page whose own number is lower has missed something. An empty batch
    follows when nothing else does for half a second. Of events that are not `shown` here only the number is told.
    """

    def __init__(self, newest: Callable[[], int], shown: frozenset[str] | None = None) -> None:
        super().__init__()
        self._newest, self._shown = newest, shown
        self._progress: dict[str, dict[str, Any]] = {}
        self._others: list[dict[str, Any]] = []
        self._seq: int | None = None  # the last number told; none: nothing gathered since the hello
        self._hello = FreshFlight(self._whole)

    async def first(self) -> str:
        return await self._hello.get()

    async def _whole(self) -> str:
        """With the state: after a restart all pages come at once, and none of them has to ask for it by itself."""
        head = written({"type": "hello", "seq": self._told_seq, "version": snapshot.version()})
        state = await sync_to_async(snapshot.page)(self._shown is not None)
        return f'{head[:-1]}, "state": {state}}}'

    @property
    def _told_seq(self) -> int:
        return self._newest() if self._seq is None else self._seq

    def remind(self) -> None:
        if self.watchers and not self.waiting and time.monotonic() - self._told > REMIND_S:
            self.tell(written({"type": "batch", "after": self._told_seq, "seq": self._told_seq, "events": []}))

    def take(self, event: dict[str, Any]) -> None:
        if self._seq is None:
            self._seq = int(event["seq"]) - 1
        if event["type"] == "job.progress":
            self._progress[event["job"]["id"]] = event
        else:
            if "job" in event:
                self._progress.pop(event["job"]["id"], None)
            self._others.append(self._visible(event))
        self.soon()

    def _visible(self, event: dict[str, Any]) -> dict[str, Any]:
        if self._shown is None or event["type"] in self._shown:
            return event
        return {"type": "other", "seq": event["seq"], "at": event["at"]}

    async def gathered(self) -> str | None:
        batch = sorted([*self._others, *self._progress.values()], key=lambda event: int(event["seq"]))
        self._others, self._progress = [], {}
        if not batch:
            return None
        after = self._told_seq
        self._seq = max(after, int(batch[-1]["seq"]))
        return written({"type": "batch", "after": after, "seq": self._seq, "events": batch})

    def forget(self) -> None:
        self._others, self._progress, self._seq = [], {}, None

    @property
    def waiting(self) -> bool:
        return bool(self._others or self._progress)


class ContractAudience(Audience):
    """`/ws`: a snapshot first, then whole states, and log lines as they come, as the original's readers expect."""

    kept = 256  # log lines are messages of their own

    def __init__(self) -> None:
        super().__init__()
        self._changed = self._frozen_too = False
        self._full = FreshFlight(self._whole)

    async def first(self) -> str:
        return await self._full.get()

    def remind(self) -> None:
        """Its readers know no numbers."""

    def hello(self) -> None:
        """A whole state says it all."""
        if self.watchers:
            self._changed = self._frozen_too = True
            self.soon()

    async def _whole(self) -> str:
        return written(await sync_to_async(snapshot.full)())

    def take(self, event: dict[str, Any]) -> None:
        if event["type"] == "log":
            entry = event["entry"]
            self.tell(written({"logEntry": {name: entry[name] for name in stream.LOG_KEYS}}))
            return
        if event["type"] not in stream.PUBLIC:
            return
        of_tapes = event["type"] == "tape.announced" or event.get("job", {}).get("kind") == "bake"
        self._frozen_too |= event["type"] == "frozen.changed" or of_tapes
        self._changed = True
        self.soon()

    async def gathered(self) -> str | None:
        if not self._changed:
            return None
        frozen_too, self._frozen_too, self._changed = self._frozen_too, False, False
        try:
            return written(await sync_to_async(snapshot.changes)(frozen_too))
        except Exception:
            self._changed, self._frozen_too = True, self._frozen_too or frozen_too
            raise

    def forget(self) -> None:
        self._changed = self._frozen_too = False

    @property
    def waiting(self) -> bool:
        return self._changed
