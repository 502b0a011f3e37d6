"""A job of an anonymous client that nobody waits for any more is cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from captures.models import Grab
from captures.services import ask
from oven.accounts import throttles
from oven.jobs import lifecycle
from oven.jobs.waiters import ABANDONED, waiting_for
from tests.support import awaited

ONE = "client:192.0.2.7"
HEAVY = {"width": 1000, "height": 1000, "fps": 20}


def asked(wish: Any, name: str = ONE, **fields: Any) -> Any:
    with throttles.paid_by(name):
        return ask(wish(**fields)).grab


async def waits(job: Any) -> asyncio.Task[None]:
    async def wait() -> None:
        async with waiting_for(job):
            await asyncio.sleep(60)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.1)
    return task


async def leaves(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def state(job: Any) -> str:
    fresh = await Grab.objects.aget(pk=job.pk)
    return str(fresh.state)


@awaited
async def test_it_is_cancelled_with_the_last_who_waits(db: None, valkey: Any, wish: Any) -> None:
    job = await sync_to_async(asked)(wish)
    first, second = await waits(job), await waits(job)
    await leaves(first)
    assert await state(job) == "queued"
    await leaves(second)
    fresh = await Grab.objects.aget(pk=job.pk)
    assert (fresh.state, fresh.detail) == ("cancelled", ABANDONED)


@awaited
async def test_who_waits_in_another_process_counts(db: None, valkey: Any, wish: Any) -> None:
    job = await sync_to_async(asked)(wish)
    task = await waits(job)
    valkey.incr(f"oven:waiters:grab:{job.pk}")
    await leaves(task)
    assert await state(job) == "queued"


@awaited
async def test_an_answer_is_no_reason_to_cancel(db: None, valkey: Any, wish: Any) -> None:
    job = await sync_to_async(asked)(wish)
    async with waiting_for(job):
        pass  # as after OVEN_WAIT_S: the caller was told that it goes on
    assert await state(job) == "queued"


@awaited
async def test_what_runs_is_finished_unless_it_is_heavy(db: None, valkey: Any, wish: Any) -> None:
    for fields, expected in [({}, "running"), (HEAVY, "cancelling")]:
        job = await sync_to_async(asked)(wish, **fields)
        await sync_to_async(lifecycle.claim)("grab", job.pk, "a:1:1")
        await leaves(await waits(job))
        assert await state(job) == expected


@awaited
async def test_jobs_of_tokens_and_staff_go_on(db: None, valkey: Any, wish: Any) -> None:
    for name in ("token:1", ""):
        job = await sync_to_async(asked)(wish, name, cacheKey=name)
        await leaves(await waits(job))
        assert await state(job) == "queued"


@awaited
async def test_one_that_somebody_known_has_joined_goes_on(db: None, valkey: Any, wish: Any) -> None:
    job = await sync_to_async(asked)(wish)
    task = await waits(job)
    await sync_to_async(asked)(wish, "token:1")
    await leaves(task)
    assert await state(job) == "queued"


@awaited
async def test_who_joins_in_the_moment_of_leaving_is_told_to_ask_again(db: None, valkey: Any, wish: Any) -> None:
    from captures.responses import settled
    from oven.errors import Unavailable

    job = await sync_to_async(asked)(wish)
    await leaves(await waits(job))
    with pytest.raises(Unavailable, match="ask again") as refused:
        await settled(job)
    assert refused.value.retry_after_s == 1
