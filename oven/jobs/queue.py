"""The carrier: RQ messages that say "row N of this kind may be due". Losing or doubling one does no harm."""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterable
from typing import Any

import django_rq
import psutil
from django.conf import settings
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker

from oven import logs
from oven.jobs import registry
from oven.jobs.models import Job
from oven.jobs.states import Lane
from oven.redis import patient_client

log = logging.getLogger(__name__)
PERFORM = "oven.jobs.worker.perform"
GRACE_S = 30
AT_ONCE = 500


def connection(name: str = "capture.now") -> Redis:
    """One client for this process: workers look for cancellations several times a second."""
    return patient_client(settings.RQ_QUEUES[name]["URL"])


def message_id(job: Job) -> str:
    """The same for the same attempt, so that the sweep can tell whether a message is under way."""
    return id_of(job.kind, job.pk, job.attempt)


def id_of(kind: str, pk: int, attempt: int) -> str:
    return f"{kind}-{pk}-{attempt}"


def enqueue(job: Job, first: bool = False) -> bool:
    """Puts the row's message on its lane. False when the queue is out of reach: the sweep will do it later."""
    kind = registry.get(job.kind)
    try:
        queue: Any = django_rq.get_queue(kind.queue_name(job.lane))
        queue.enqueue_call(PERFORM, at_front=first, **_message(job, kind))
    except RedisError as error:
        log.warning("enqueue of %s failed, the sweep will repeat it: %s", job, error)
        return False
    return True


def _message(job: Job, kind: registry.JobKind) -> dict[str, Any]:
    return {
        "args": (job.kind, job.pk),
        "job_id": message_id(job),
        "timeout": kind.timeout_s + GRACE_S,
        "result_ttl": 0,
        "failure_ttl": 3600,
        "description": str(job),
        "meta": {"request_id": logs.request_id()},
    }


def enqueue_many(kind: registry.JobKind, jobs: Iterable[Job]) -> int:
    """The messages of many rows of a kind, in one round trip a lane. Returns how many. Raises RedisError."""
    sent = 0
    by_lane: dict[str, list[Any]] = {}
    for job in jobs:
        by_lane.setdefault(job.lane, []).append(Queue.prepare_data(PERFORM, **_message(job, kind)))
    for lane, messages in by_lane.items():
        queue: Any = django_rq.get_queue(kind.queue_name(lane))
        sent += len(queue.enqueue_many(messages))
    return sent


def under_way(kind: registry.JobKind) -> set[str]:
    """Ids of all messages waiting in a kind's queues. Raises RedisError.

    Not those a worker has taken: it claims the row at once, or died before it could.
    """
    found: set[str] = set()
    for lane in Lane.values:
        queue: Any = django_rq.get_queue(kind.queue_name(lane))
        found.update(queue.get_job_ids())
    return found


def move(job: Job, old_lane: str, first: bool = False) -> None:
    """Takes the message from its old lane and puts it on the row's present one, if the row is due."""
    kind = registry.get(job.kind)
    try:
        django_rq.get_queue(kind.queue_name(old_lane)).remove(message_id(job))
    except RedisError:
        return
    if job.due_at is None or job.due_at <= timezone.now():
        enqueue(job, first)


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


def workers_of(pool: str) -> int:
    """Workers that serve a pool's queues. One that was killed stays registered for a while, but does not count."""
    found = Worker.all(connection=connection())
    serving = [worker for worker in found if any(name.startswith(f"{pool}.") for name in worker.queue_names())]
    here = platform.node()
    return sum(worker.hostname != here or psutil.pid_exists(worker.pid or 0) for worker in serving)
