"""Readers as the live page is one: they follow the events, fetch the state when they missed some, and come back."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

FIRST_DELAY_S, LAST_DELAY_S = 1.0, 30.0
ACTIVE = ("queued", "retrying", "running", "cancelling")


@functools.lru_cache(maxsize=64)
def read(text: str) -> Any:
    """Most readers get the same text: it is parsed once."""
    return json.loads(text)


@dataclass
class Site:
    """Where to watch, as whom. `fetches` counts looks at the whole state."""

    base: str
    cookie: str
    http: httpx.AsyncClient
    fetches: int = 0

    @property
    def socket(self) -> str:
        return self.base.replace("http", "ws", 1) + "/ws/live"


@dataclass
class Reader:
    """One page: the states of the jobs it knows, and when each message came."""

    site: Site
    states: dict[str, str] = field(default_factory=dict)
    seq: int = 0
    messages: list[float] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)  # from a change's commit to here
    connected: bool = False
    deaf_until: float = 0.0
    hellos: int = 0
    looking: asyncio.Task[None] | None = None
    look_again: bool = False  # something was missed while it looked

    async def follow(self) -> None:
        delay = FIRST_DELAY_S
        while True:
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                headers = {"Cookie": self.site.cookie}
                async with connect(
                    self.site.socket, additional_headers=headers, compression=None, max_size=None
                ) as socket:
                    async for text in socket:
                        delay = FIRST_DELAY_S
                        self.take(str(text))
            self.connected = False
            await asyncio.sleep(delay)
            delay = min(LAST_DELAY_S, 2 * delay)

    def take(self, text: str) -> None:
        now = time.time()
        if now < self.deaf_until:
            return
        message = read(text)
        if message["type"] == "hello":
            self.hellos += 1
            self.connected = True
            self.seq = message["seq"]
            self.take_hello(message)
            return
        if message["events"]:
            self.messages.append(now)
        for event in message["events"]:
            self.take_event(event, now)
        if message.get("after", self.seq) > self.seq:
            self.look()
        self.seq = message["seq"]

    def take_hello(self, message: dict[str, Any]) -> None:
        if message.get("state"):
            self.take_state(message["state"])
        else:
            self.look()

    def take_event(self, event: dict[str, Any], now: float) -> None:
        job = event.get("job")
        if job is None:
            return
        if self.states.get(job["id"], "queued") in ACTIVE:  # what has ended stays so
            self.states[job["id"]] = job["state"]
        if event["type"] != "job.progress":
            self.waits_ms.append(now * 1000 - event.get("committed", event["at"]))

    def look(self) -> None:
        self.look_again = self.looking is not None and not self.looking.done()
        if not self.look_again:
            self.looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        headers = {"Cookie": self.site.cookie}
        while True:
            seq = self.seq
            try:
                answer = await self.site.http.get(self.site.base + "/live/state", headers=headers)
                answer.raise_for_status()
                break
            except httpx.HTTPError:
                await asyncio.sleep(0.5)
        self.site.fetches += 1
        self.take_state(read(answer.text))
        if seq > self.seq or self.look_again:
            self.looking = None
            self.look()

    def take_state(self, state: dict[str, Any]) -> None:
        told = {job["id"]: job["state"] for part in ("recent", "waiting", "running") for job in state[part]}
        gone = {job for job, known in self.states.items() if known in ACTIVE and job not in told}
        self.states = {job: known for job, known in self.states.items() if job not in gone} | told


class Swarm:
    """Many readers of one site."""

    def __init__(self, base: str, cookie: str, count: int) -> None:
        limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
        self.site = Site(base, cookie, httpx.AsyncClient(limits=limits, timeout=30))
        self.readers = [Reader(self.site) for _ in range(count)]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Swarm:
        for reader in self.readers:
            self._tasks.append(asyncio.create_task(reader.follow()))
        await until(lambda: all(reader.connected and reader.states is not None for reader in self.readers), 60)
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = self._tasks + [reader.looking for reader in self.readers if reader.looking is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.site.http.aclose()

    def forget(self) -> None:
        """What came so far does not count."""
        for reader in self.readers:
            reader.messages, reader.waits_ms = [], []
        self.site.fetches = 0

    def equal(self, truth: dict[str, str]) -> int:
        """How many readers show exactly these states, and nothing else as active."""
        return sum(shows(reader.states, truth) for reader in self.readers)


def shows(states: dict[str, str], truth: dict[str, str]) -> bool:
    active = {job for job, state in states.items() if state in ACTIVE}
    return active <= truth.keys() and all(states.get(job) == state for job, state in truth.items())


async def until(condition: Any, limit_s: float, every_s: float = 0.02) -> float:
    """Waits for the condition; answers the seconds it took. Raises TimeoutError."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_s:
            raise TimeoutError
        await asyncio.sleep(every_s)
    return time.monotonic() - began
