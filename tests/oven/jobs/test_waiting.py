from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from captures.models import Grab
from oven.events.stream import job_group
from oven.jobs import await_job, lifecycle
from tests.support import awaited


@pytest.fixture
def lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without looks in between, only the event can tell."""
    monkeypatch.setattr(await_job, "LOOK_EVERY_S", 60.0)


@awaited
async def test_what_has_ended_is_returned_at_once(grab: Any) -> None:
    job = await sync_to_async(lambda: lifecycle.cancel(grab()))()
    ended = await await_job.wait_ended(job, 10)
    assert ended is not None
    assert ended.state == "cancelled"


@awaited
async def test_the_event_ends_the_wait(grab: Any, lazy: None) -> None:
    job = await sync_to_async(grab)()
    task = asyncio.create_task(await_job.wait_ended(job, 10))
    await asyncio.sleep(0.3)
    started = time.monotonic()
    await sync_to_async(lifecycle.cancel)(job)
    ended = await task
    assert ended is not None
    assert ended.state == "cancelled"
    assert time.monotonic() - started < 1


@awaited
async def test_a_lost_event_only_delays_the_end(grab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(await_job, "LOOK_EVERY_S", 0.2)
    job = await sync_to_async(grab)()
    task = asyncio.create_task(await_job.wait_ended(job, 10))
    await asyncio.sleep(0.1)
    await Grab.objects.filter(pk=job.pk).aupdate(state="complete")  # nobody tells
    ended = await asyncio.wait_for(task, 2)
    assert ended is not None
    assert ended.state == "complete"


@awaited
async def test_other_jobs_do_not_end_the_wait(grab: Any, lazy: None) -> None:
    job, other = await sync_to_async(lambda: (grab(piece="orbit"), grab(piece="waves")))()
    task = asyncio.create_task(await_job.wait_ended(job, 0.6))
    await asyncio.sleep(0.2)
    await sync_to_async(lifecycle.cancel)(other)
    assert await task is None


@awaited
async def test_the_limit_ends_the_wait(grab: Any) -> None:
    job = await sync_to_async(grab)()
    started = time.monotonic()
    assert await await_job.wait_ended(job, 0.3) is None
    assert 0.2 < time.monotonic() - started < 2


@awaited
async def test_many_may_wait_for_the_same_job(grab: Any, lazy: None) -> None:
    job = await sync_to_async(grab)()
    tasks = [asyncio.create_task(await_job.wait_ended(job, 10)) for _ in range(5)]
    await asyncio.sleep(0.3)
    await sync_to_async(lifecycle.cancel)(job)
    assert [ended.state for ended in await asyncio.gather(*tasks) if ended] == ["cancelled"] * 5


@awaited
async def test_whoever_stops_waiting_leaves_no_subscription(grab: Any, valkey: Any) -> None:
    """Also when an event has just arrived that nobody will read."""
    job = await sync_to_async(grab)()
    layer = get_channel_layer()
    async with aclosing(await_job.follow(job, 5)) as news:
        async for _ in news:
            for _ in range(3):
                await layer.group_send(job_group(job.kind, job.pk), {"type": "oven.event", "event": {"type": "x"}})
            await asyncio.sleep(0.2)
            break
    await asyncio.sleep(0.2)
    assert valkey.pubsub_channels() == []


@awaited
async def test_without_the_stream_the_row_alone_tells(
    grab: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server of events is gone: the job was accepted, and whoever waits for it hears of its end all the same."""
    monkeypatch.setattr(await_job, "LOOK_EVERY_S", 0.1)
    job = await sync_to_async(grab)()
    nowhere = {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": ["unix:///nowhere.sock"]},
    }
    settings.CHANNEL_LAYERS = {"default": nowhere}
    task = asyncio.create_task(await_job.wait_ended(job, 5))
    await asyncio.sleep(0.3)
    assert not task.done()
    await Grab.objects.filter(pk=job.pk).aupdate(state="complete")
    ended = await asyncio.wait_for(task, 2)
    assert ended is not None
    assert await await_job.wait_ended(await sync_to_async(grab)(piece="waves"), 0.3) is None


@awaited
async def test_a_server_of_events_that_hangs_is_not_waited_for(grab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(await_job, "LISTEN_S", 0.1)
    layer = get_channel_layer()
    monkeypatch.setattr(layer, "group_add", lambda *_: asyncio.sleep(60))
    job = await sync_to_async(grab)()
    started = time.monotonic()
    assert await await_job.wait_ended(job, 0.3) is None
    assert time.monotonic() - started < 2
