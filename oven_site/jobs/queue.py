"""The carrier: RQ messages that say "row N of this kind may be due". Losing or doubling one does no harm."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import django_rq
from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from oven_site import logs
from oven_site.jobs import registry
from oven_site.jobs.models import Job
from oven_site.jobs.states import Lane

log = logging.getLogger(__name__)
PERFORM = "oven_site.jobs.worker.perform"
GRACE_S = 30


def connection(name: str = "capture.now") -> Redis:
    """One client for this process: workers look for cancellations several times a second."""
    return _client(settings.RQ_QUEUES[name]["URL"])


@lru_cache(maxsize=8)
def _client(url: str) -> Redis:
    return Redis.from_url(url)


def message_id(job: Job) -> str:
    """The same for the same attempt, so that the sweep can tell whether a message is under way."""
    return f"{job.kind}-{job.pk}-{job.attempt}"


def enqueue(job: Job) -> bool:
    """Puts the row's message on its lane. False when the queue is out of reach: the sweep will do it later."""
    kind = registry.get(job.kind)
    try:
        django_rq.get_queue(kind.queue_name(job.lane)).enqueue_call(
            PERFORM,
            args=(job.kind, job.pk),
            job_id=message_id(job),
            timeout=kind.time_limit_s + GRACE_S,
            result_ttl=0,
            failure_ttl=3600,
            description=str(job),
            meta={"request_id": logs.request_id()},
        )
    except RedisError as error:
        log.warning("enqueue of %s failed, the sweep will repeat it: %s", job, error)
        return False
    return True


def under_way(kind: registry.Kind) -> set[str]:
    """Ids of all messages waiting in a kind's queues. Raises RedisError.

    Not those a worker has taken: it claims the row at once, or died before it could.
    """
    found: set[str] = set()
    for lane in Lane.values:
        queue: Any = django_rq.get_queue(kind.queue_name(lane))
        found.update(queue.get_job_ids())
    return found


def move(job: Job, old_lane: str) -> None:
    """Takes the message from its old lane and puts it on the row's present one."""
    kind = registry.get(job.kind)
    try:
        django_rq.get_queue(kind.queue_name(old_lane)).remove(message_id(job))
    except RedisError:
        return
    enqueue(job)


def _cancel_key(kind: str, pk: int) -> str:
    return f"oven:cancel:{kind}:{pk}"


def flag_cancel(job: Job) -> None:
    """Tells the worker without waiting for its next look at the row."""
    try:
        connection().set(_cancel_key(job.kind, job.pk), 1, ex=120)
    except RedisError:
        log.warning("cancel flag of %s not set, the worker will see the row", job)


def cancel_flagged(job: Job) -> bool:
    try:
        return bool(connection().exists(_cancel_key(job.kind, job.pk)))
    except RedisError:
        return False
