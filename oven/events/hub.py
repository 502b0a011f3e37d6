"""One hub for all sockets of a process: it reads the event stream once, and writes every batch once for all alike.

Three audiences share it: staff and the public on `/ws/live`, and the contract's readers on `/ws`. The hub notices by
itself when something of the stream was lost (a number is missing, the queue restarted, a pulse of its own did not
come back) and then says hello anew, whereupon every page fetches the state.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

from oven import redis
from oven.events import stream
from oven.events.broadcast import Audience, ContractAudience, LiveAudience
from oven.events.publisher import SEQUENCE_KEY

log = logging.getLogger(__name__)
PULSE_S = 0.5
PULSE_DOWN_S = 0.25  # while the stream is away
MAY_BE_LATE = 3  # pulses: the machine may be busy
LATE_S = 0.3  # numbers may overtake one another by so much: several processes send
READY_S = 2.0  # a reader waits so long for the stream, and is then told when it is there
TOO_MANY = 1000  # missing numbers are not counted one by one
_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


class Numbers:
    """Which numbers of the stream have come. They may overtake one another a little; what stays out is lost."""

    def __init__(self) -> None:
        self.newest = 0
        self._missing: dict[int, float] = {}  # number: since when (monotonic)

    def restart(self, newest: int) -> None:
        self.newest = newest
        self._missing = {}

    def take(self, number: int, now: float) -> None:
        self.expect(number - 1, now)
        self._missing.pop(number, None)
        self.newest = max(self.newest, number)

    def expect(self, newest: int, now: float) -> None:
        """Everything up to `newest` has been sent."""
        first = max(self.newest + 1, newest - TOO_MANY)
        self._missing |= dict.fromkeys(range(first, newest + 1), now)
        self.newest = max(self.newest, newest)

    def lost(self, now: float) -> bool:
        return any(now - since > LATE_S for since in self._missing.values())


class Hub:
    """Reads from the first `listen` on, as long as its event loop runs. Watchers join its audiences."""

    def __init__(self) -> None:
        self.live = LiveAudience(self._hello_seq)
        self.public = LiveAudience(self._hello_seq, stream.PUBLIC)
        self.contract = ContractAudience()
        self.numbers = Numbers()
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._redis: Any = None
        self._run = ""  # which run of the queue's server the numbers are of
        self._up = False
        self._heard = self._sent = 0  # pulses
        self._since_pulse = 0  # the highest number that came after the newest pulse was sent

    @classmethod
    def current(cls) -> Hub:
        """The hub of the running event loop."""
        return _hubs.setdefault(asyncio.get_running_loop(), cls())

    @property
    def audiences(self) -> tuple[Audience, ...]:
        return self.live, self.public, self.contract

    async def listen(self) -> None:
        """Starts reading, and waits a little until nothing can be missed any more."""
        if self._reader is None:
            self._ready = asyncio.Event()
            self._reader = asyncio.create_task(self._read_for_ever())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_S):
                await self._ready.wait()

    def _hello_seq(self) -> int:
        return self.numbers.newest

    async def _read_for_ever(self) -> None:
        self._redis = redis.async_client()
        self._up, self._run = False, ""
        try:
            while True:
                try:
                    await self._read()
                except Exception as error:
                    log.warning("the event stream is away: %s", error)
                await asyncio.sleep(PULSE_DOWN_S)
        finally:
            await self._redis.aclose()

    async def _read(self) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        pulse: asyncio.Task[None] | None = None
        try:
            await layer.group_add(stream.LIVE_GROUP, channel)
            pulse = asyncio.create_task(self._beat(layer, channel))
            while True:
                message = await layer.receive(channel)
                if message["type"] == "hub.pulse":
                    self._take_pulse(message)
                else:
                    self._take(message["event"])
        finally:
            if pulse is not None:
                pulse.cancel()
            with contextlib.suppress(Exception):
                await layer.group_discard(stream.LIVE_GROUP, channel)

    def _take(self, event: dict[str, Any]) -> None:
        seq = int(event["seq"])
        self._since_pulse = max(self._since_pulse, seq)
        self.numbers.take(seq, time.monotonic())
        for audience in self.audiences:
            if audience.watchers:
                audience.take(event)

    # --- the pulse: does what is sent come back --------------------------------------------------------------------

    async def _beat(self, layer: Any, channel: str) -> None:
        while True:
            try:
                async with asyncio.timeout(PULSE_S):
                    await self._send_pulse(layer, channel)
            except Exception as error:
                self._down(f"cannot be reached: {error}")
            await asyncio.sleep(PULSE_S if self._up else PULSE_DOWN_S)
            if self._up and self._sent - self._heard > MAY_BE_LATE:
                self._down("does not answer")

    async def _send_pulse(self, layer: Any, channel: str) -> None:
        server = await self._redis.info("server")
        known, self._since_pulse = self.numbers.newest, 0
        newest = int(await self._redis.get(SEQUENCE_KEY) or 0)
        self._sent += 1
        pulse = {"pulse": self._sent, "run": str(server["run_id"]), "known": known, "newest": newest}
        await layer.send(channel, {"type": "hub.pulse", **pulse})

    def _down(self, why: str) -> None:
        if self._up:
            log.warning("the event stream %s", why)
        self._up = False

    def _take_pulse(self, message: dict[str, Any]) -> None:
        """It came the way of all events: what was sent before it has come as well, or never will."""
        now, newest = time.monotonic(), int(message["newest"])
        self._heard = message["pulse"]
        known_run, self._run = self._run, message["run"]
        started_over = known_run != self._run or newest < message["known"]
        if not self._up or started_over or self.numbers.lost(now):
            self._up = True
            self.numbers.restart(max(newest, self._since_pulse))
            self._ready.set()
            for audience in self.audiences:
                audience.hello()
            return
        self.numbers.expect(newest, now)
        for audience in self.audiences:
            audience.remind()
