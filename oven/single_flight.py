"""Share one call among all that ask for the same thing at the same time."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar, cast

T = TypeVar("T")


class _Abandoned(Exception):
    """The caller that made the call was cancelled: another one has to make it."""


class SingleFlight(Generic[T]):
    """Share calls under way among coroutines, by key. Nothing is kept afterwards."""

    def __init__(self) -> None:
        self._going: dict[Hashable, asyncio.Future[T]] = {}

    async def share(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return or raise what `make` does: our own call, or the one under way for this key."""
        key = asyncio.get_running_loop(), key
        while leader := self._going.get(key):
            try:
                return await asyncio.shield(leader)
            except _Abandoned:
                continue
        return await self._lead(key, make)

    async def _lead(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # perhaps nobody else waits
        self._going[key] = future
        try:
            result = await make()
        except BaseException as error:
            del self._going[key]
            future.set_exception(error if isinstance(error, Exception) else _Abandoned())
            raise
        del self._going[key]
        future.set_result(result)
        return result


class FreshFlight(Generic[T]):
    """Share a call among coroutines that asked before it began: no answer is older than the question."""

    def __init__(self, make: Callable[[], Awaitable[T]]) -> None:
        self._make = make
        self._running: asyncio.Future[T] | None = None
        self._next: asyncio.Future[T] | None = None

    async def get(self) -> T:
        if self._next is None:
            self._next = asyncio.ensure_future(self._after(self._running))
        return await asyncio.shield(self._next)

    async def _after(self, running: asyncio.Future[T] | None) -> T:
        if running is not None:
            await asyncio.wait({running})
        self._running, self._next = self._next, None
        return await self._make()


class FreshThreadFlight(Generic[T]):
    """Share a call among threads that asked before it began; calls begin at least `interval_s` after one another."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._lock = threading.Lock()  # held during a call
        self._began = -math.inf  # of the last call (monotonic)
        self._value: T | None = None
        self._error: Exception | None = None

    def get(self, make: Callable[[], T]) -> T:
        """Return or raise what `make` does: our own call, or another thread's that began after we asked."""
        asked = time.monotonic()
        with self._lock:
            if self._began < asked:
                time.sleep(max(0.0, self._began + self._interval_s - time.monotonic()))
                self._call(make)
            if self._error is not None:
                raise self._error
            return cast(T, self._value)

    def _call(self, make: Callable[[], T]) -> None:
        began, value, failure = time.monotonic(), None, None
        try:
            value = make()
        except Exception as error:
            failure = error
        self._began, self._value, self._error = began, value, failure
