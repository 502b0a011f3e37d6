"""Requests that wait for the jobs of anonymous clients. A job that nobody waits for any more is cancelled.

A web process counts its own requests, and says in Redis that it has some. What a process that was killed has said
stays there for a while: its jobs go on, as nobody has left them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.conf import settings
from redis.exceptions import RedisError

from oven import redis
from oven.jobs import lifecycle
from oven.jobs.models import Job
from oven.jobs.states import ENDED, WAITING, Lane

KEY = "oven:waiters"
SPARE_S = 60.0
ABANDONED = "Nobody waited for it any more"
_here: Counter[str] = Counter()
_lock = threading.Lock()


@contextlib.asynccontextmanager
async def waiting_for(job: Job) -> AsyncIterator[None]:
    """Count a request that waits for a job. When it is cancelled as the last one, the job is cancelled as well.

    A request is cancelled when its client disconnects.
    """
    if not job.client or job.state in ENDED:
        yield
        return
    await sync_to_async(_join)(job)
    left = False
    try:
        yield
    except asyncio.CancelledError:
        left = True
        raise
    finally:
        await asyncio.shield(sync_to_async(_leave)(job, left))


def _join(job: Job) -> None:
    name = _name(job)
    with _lock:
        _here[name] += 1
        if _here[name] == 1:
            _count(name, 1)


def _leave(job: Job, left: bool) -> None:
    name = _name(job)
    with _lock:
        _here[name] -= 1
        if _here[name]:
            return
        del _here[name]
        others = _count(name, -1)
    if left and others is not None and others <= 0:
        _abandon(job)


def _count(name: str, change: int) -> int | None:
    """Return how many processes have requests that wait; None when the queue does not answer."""
    lives_s = round(max(settings.OVEN_WAIT_S, settings.OVEN_BUNDLE_WAIT_S) + SPARE_S)
    try:
        with redis.client().pipeline() as pipe:
            pipe.incrby(f"{KEY}:{name}", change)
            pipe.expire(f"{KEY}:{name}", lives_s)
            count, _ = pipe.execute()
        return int(count)
    except RedisError:
        return None


def _abandon(job: Job) -> None:
    """Cancel a job unless it is somebody else's by now. One that runs is finished, if it is not heavy."""
    fresh = type(job)._default_manager.filter(pk=job.pk).first()
    if fresh is None or not fresh.client or not (fresh.state in WAITING or fresh.lane == Lane.HEAVY):
        return
    with contextlib.suppress(lifecycle.StateMismatch):
        lifecycle.cancel(fresh, ABANDONED)


def _name(job: Job) -> str:
    return f"{job.kind}:{job.pk}"
