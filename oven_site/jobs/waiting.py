"""Waiting for a job without holding a thread: on the event stream, with a look at the row now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from channels.layers import get_channel_layer
from django.utils import timezone

from oven_site.jobs.models import Job
from oven_site.jobs.states import ENDED, State
from oven_site.live.events import job_group

J = TypeVar("J", bound=Job)
LOOK_EVERY_S = 2.0  # a message may be lost; the row is the truth


async def wait_ended(job: J, limit_s: float) -> J | None:
    """The job once it has ended; None when the limit comes first."""
    async with aclosing(follow(job, limit_s)) as news:
        async for _, fresh in news:
            if fresh is not None and fresh.state in ENDED:
                return fresh
    return None


async def follow(job: J, limit_s: float) -> AsyncGenerator[tuple[dict[str, Any] | None, J | None], None]:
    """Each event about a job as it comes (of those that its kind sends), and its row at every look.

    Ends after the look that finds the job ended, or at the limit.
    """
    layer = get_channel_layer()
    channel = await layer.new_channel()
    group = job_group(job.kind, job.pk)
    deadline = time.monotonic() + limit_s
    await layer.group_add(group, channel)
    news = asyncio.ensure_future(layer.receive(channel))
    look = True
    try:
        while True:
            if look:
                fresh = await _look(job)
                yield None, fresh
                if fresh.state in ENDED:
                    return
            left = deadline - time.monotonic()
            if left <= 0:
                return
            await asyncio.wait({news}, timeout=min(LOOK_EVERY_S, left))  # a cancelled receive would lose its channel
            look = not news.done()
            if news.done():
                event = news.result()["event"]
                news = asyncio.ensure_future(layer.receive(channel))
                look = event["type"] != "job.progress"
                yield event, None
    finally:
        await layer.group_discard(group, channel)
        await _let_go(layer, channel, news)


async def _look(job: J) -> J:
    """The row as it is now. One that is gone was asked for by a bulk action that somebody has undone."""
    fresh: J | None = await type(job)._default_manager.filter(pk=job.pk).afirst()
    if fresh is None:
        job.state, job.ended_at, job.error_message = State.CANCELLED, timezone.now(), "It was taken back."
    return fresh or job


async def _let_go(layer: Any, channel: str, news: asyncio.Future[Any]) -> None:
    """The layer forgets a channel when a `receive` of it is cancelled, and only then."""
    while news.done():
        news = asyncio.ensure_future(layer.receive(channel))
        await asyncio.sleep(0)
    news.cancel()
    await asyncio.wait({news})
