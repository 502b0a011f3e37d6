"""Who wants the same at the same time waits for one go at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Abandoned(Exception):
    """The caller that went ahead has gone: somebody else must."""


class Flights(Generic[T]):
    """Shares the results of calls under way; keeps none afterwards."""

    def __init__(self) -> None:
        self._going: dict[Hashable, asyncio.Future[T]] = {}

    async def share(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """What `make` returns or raises: ours, or that of whoever is at it with this key already."""
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
