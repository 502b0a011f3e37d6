"""Waiting for a job without holding a thread: on the event stream, with a look at the row now and then.

Without the stream (its server is gone or takes nothing) the looks alone have to do: the job was accepted, and whoever
waits for it is not told otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from channels.layers import get_channel_layer
from django.utils import timezone
from redis.exceptions import RedisError

from oven.errors import Unavailable
from oven.events.stream import job_group
from oven.jobs.models import Job
from oven.jobs.states import ENDED, State

log = logging.getLogger(__name__)
J = TypeVar("J", bound=Job)
LOOK_EVERY_S = 2.0  # a message may be lost; the row is the truth
RESTART_RETRY_S = 5
LISTEN_S = 2.0  # a server that hangs is as good as none


_stopping = False


def stop() -> None:
    """End all waits of this process within LOOK_EVERY_S, because the server closes."""
    global _stopping
    _stopping = True


async def wait_ended(job: J, limit_s: float) -> J | None:
    """The job once it has ended; None when the limit comes first. Raises Unavailable when the server closes."""
    async with aclosing(follow(job, limit_s)) as news:
        async for _, fresh in news:
            if fresh is not None and fresh.state in ENDED:
                return fresh
    return None


async def follow(job: J, limit_s: float) -> AsyncGenerator[tuple[dict[str, Any] | None, J | None], None]:
    """Each event about a job as it comes (of those that its kind sends), and its row at every look.

    Ends after the look that finds the job ended, or at the limit. Raises Unavailable when the server closes.
    """
    deadline = time.monotonic() + limit_s
    look = True
    async with _news(job) as stream:
        while True:
            if look:
                fresh = await _look(job)
                yield None, fresh
                if fresh.state in ENDED:
                    return
            if _stopping:
                raise Unavailable(f"Oven is being restarted; {job.public_id} goes on.", RESTART_RETRY_S)
            left = deadline - time.monotonic()
            if left <= 0:
                return
            event = await stream.next(min(LOOK_EVERY_S, left))
            look = event is None or event["type"] != "job.progress"
            if event is not None:
                yield event, None


class _Stream:
    """The events of one group, as they come to a channel of its own."""

    def __init__(self, layer: Any, channel: str) -> None:
        self._layer, self._channel = layer, channel
        self._news = asyncio.ensure_future(layer.receive(channel))

    async def next(self, limit_s: float) -> dict[str, Any] | None:
        """None when the limit comes first."""
        await asyncio.wait({self._news}, timeout=limit_s)  # a cancelled receive would lose its channel
        if not self._news.done():
            return None
        event: dict[str, Any] = self._news.result()["event"]
        self._news = asyncio.ensure_future(self._layer.receive(self._channel))
        return event

    async def close(self) -> None:
        """The layer forgets a channel when a `receive` of it is cancelled, and only then."""
        while self._news.done():
            self._news = asyncio.ensure_future(self._layer.receive(self._channel))
            await asyncio.sleep(0)
        self._news.cancel()
        await asyncio.wait({self._news})


class _Silence:
    """No stream can be had."""

    async def next(self, limit_s: float) -> None:
        await asyncio.sleep(limit_s)


@contextlib.asynccontextmanager
async def _news(job: Job) -> AsyncGenerator[_Stream | _Silence, None]:
    layer, group = get_channel_layer(), job_group(job.kind, job.pk)
    channel, stream, heard = "", None, False
    try:
        async with asyncio.timeout(LISTEN_S):
            channel = await layer.new_channel()
            stream = _Stream(layer, channel)
            await layer.group_add(group, channel)
            heard = True
    except (RedisError, OSError) as error:
        log.warning("no events of %s, only looks at its row: %r", job, error)
    try:
        yield stream if stream is not None and heard else _Silence()
    finally:
        if stream is not None:
            with contextlib.suppress(RedisError, OSError):
                await layer.group_discard(group, channel)
            await stream.close()


async def _look(job: J) -> J:
    """The row as it is now. One that is gone was asked for by a bulk action that somebody has undone."""
    fresh: J | None = await type(job)._default_manager.filter(pk=job.pk).afirst()
    if fresh is None:
        job.state, job.ended_at, job.error_message = State.CANCELLED, timezone.now(), "It was taken back."
    return fresh or job
