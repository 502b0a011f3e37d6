from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from oven.single_flight import FreshFlight, FreshThreadFlight, SingleFlight


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


async def started(flights: SingleFlight[int], make: Maker, count: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(flights.share("same", make)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_who_comes_while_it_is_under_way_shares_it() -> None:
    flights, make = SingleFlight[int](), Maker()
    tasks = await started(flights, make, 100)
    make.go.set()
    assert await asyncio.gather(*tasks) == [1] * 100


async def test_nothing_is_kept() -> None:
    flights, make = SingleFlight[int](), Maker()
    make.go.set()
    assert [await flights.share("same", make), await flights.share("same", make)] == [1, 2]


async def test_others_have_their_own() -> None:
    flights, make = SingleFlight[int](), Maker()
    make.go.set()
    assert sorted(await asyncio.gather(*(flights.share(key, make) for key in "ab"))) == [1, 2]


async def test_an_error_is_everybodys() -> None:
    flights, make = SingleFlight[int](), Maker(KeyError("no"))
    tasks = await started(flights, make, 3)
    make.go.set()
    assert [type(r) for r in await asyncio.gather(*tasks, return_exceptions=True)] == [KeyError] * 3


async def test_when_the_first_one_leaves_another_takes_over() -> None:
    flights, make = SingleFlight[int](), Maker()
    first, *others = await started(flights, make, 3)
    first.cancel()
    await asyncio.wait({first})
    make.go.set()
    assert await asyncio.gather(*others) == [2, 2]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_when_a_follower_leaves_the_others_stay() -> None:
    flights, make = SingleFlight[int](), Maker()
    first, second, third = await started(flights, make, 3)
    second.cancel()
    await asyncio.wait({second})
    make.go.set()
    assert await asyncio.gather(first, third) == [1, 1]


# --- calls that begin after they were asked for ---------------------------------------------------------------------


async def test_callers_during_a_call_share_the_next_one() -> None:
    make = Maker()
    fresh = FreshFlight(make)
    first = asyncio.create_task(fresh.get())
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(fresh.get()) for _ in range(20)]
    await asyncio.sleep(0.01)
    assert make.calls == 1
    make.go.set()
    assert await first == 1
    assert await asyncio.gather(*later) == [2] * 20


async def test_a_fresh_call_goes_on_when_its_first_caller_leaves() -> None:
    make = Maker()
    fresh = FreshFlight(make)
    first, second = (asyncio.create_task(fresh.get()) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    make.go.set()
    assert await second == 1


async def test_a_fresh_call_that_fails_is_not_kept() -> None:
    make = Maker(KeyError("no"))
    make.go.set()
    fresh = FreshFlight(make)
    with pytest.raises(KeyError):
        await fresh.get()
    make.error = None
    assert await fresh.get() == 2


def test_threads_that_ask_during_a_call_share_the_next_one_after_the_interval() -> None:
    fresh, began, go = FreshThreadFlight[int](0.1), list[float](), threading.Event()

    def make() -> int:
        began.append(time.monotonic())
        assert go.wait(5)
        return len(began)

    with ThreadPoolExecutor(11) as pool:
        first = pool.submit(fresh.get, make)
        while not began:
            time.sleep(0.001)
        later = [pool.submit(fresh.get, make) for _ in range(10)]
        time.sleep(0.02)  # all of them have asked
        go.set()
        assert first.result(5) == 1
        assert [each.result(5) for each in later] == [2] * 10
    assert began[1] - began[0] >= 0.1
