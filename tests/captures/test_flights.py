from __future__ import annotations

import asyncio

import pytest

from captures.single_flight import Flights


class Maker:
    """Counts its calls, and waits for a word before it answers."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls, self.go, self.error = 0, asyncio.Event(), error

    async def __call__(self) -> int:
        self.calls += 1
        await self.go.wait()
        if self.error:
            raise self.error
        return self.calls


async def started(flights: Flights[int], make: Maker, count: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(flights.share("same", make)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_while_it_is_under_way_shares_it() -> None:
    flights, make = Flights[int](), Maker()
    tasks = await started(flights, make, 100)
    make.go.set()
    assert await asyncio.gather(*tasks) == [1] * 100


async def test_nothing_is_kept() -> None:
    flights, make = Flights[int](), Maker()
    make.go.set()
    assert [await flights.share("same", make), await flights.share("same", make)] == [1, 2]


async def test_others_have_their_own() -> None:
    flights, make = Flights[int](), Maker()
    make.go.set()
    assert sorted(await asyncio.gather(*(flights.share(key, make) for key in "ab"))) == [1, 2]


async def test_an_error_is_everybodys() -> None:
    flights, make = Flights[int](), Maker(KeyError("no"))
    tasks = await started(flights, make, 3)
    make.go.set()
    assert [type(r) for r in await asyncio.gather(*tasks, return_exceptions=True)] == [KeyError] * 3


async def test_when_the_first_one_leaves_another_takes_over() -> None:
    flights, make = Flights[int](), Maker()
    first, *others = await started(flights, make, 3)
    first.cancel()
    await asyncio.wait({first})
    make.go.set()
    assert await asyncio.gather(*others) == [2, 2]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_when_a_follower_leaves_the_others_stay() -> None:
    flights, make = Flights[int](), Maker()
    first, second, third = await started(flights, make, 3)
    second.cancel()
    await asyncio.wait({second})
    make.go.set()
    assert await asyncio.gather(first, third) == [1, 1]
