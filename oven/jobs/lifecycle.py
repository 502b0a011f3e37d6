"""Every change of a job's state: one conditional UPDATE that names what it expects, and checks that one row changed.

queued ──claim──> running ──finish──> complete
  ^  ^               │ ├────fail────> failed, or retrying (──due──> claimed again)
  │  └───release─────┘ └─cancel──> cancelling ──confirm_cancelled──> cancelled
submit                         (a waiting row is cancelled at once)
"""

from __future__ import annotations

import contextlib
import random
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Min, QuerySet
from django.utils import timezone

from oven.events import stream
from oven.jobs import admission, queue, registry, turns
from oven.jobs.models import Attempt, Job
from oven.jobs.signals import jobs_ended
from oven.jobs.states import ACTIVE, ENDED, WAITING, Lane, State
from oven.ops.metrics import counters

J = TypeVar("J", bound=Job)
LOST = "worker_lost"
CANCELLED_AT_ONCE = 200


class StateMismatch(Exception):
    """The row is not (any more) in the state that the change expects."""


def submit(job: J, *, limited: bool = False) -> J:
    """Save a new job and enqueue it once the transaction commits.

    `limited`: only within the ceiling of the queue, and the limits of the anonymous client that asks for it.
    Raises IntegrityError when the same work is already active, and QueueFull or ClientLimit.
    """
    with transaction.atomic():
        if limited:
            admission.admit(job)
        job.save(force_insert=True)
        transaction.on_commit(partial(_announce_queued, job))
    return job


def _announce_queued(job: Job) -> None:
    if turns.has_turn(job):
        queue.enqueue(job)
    stream.publish_job("job.queued", job)


def claim(kind: str, pk: int, worker: str, early: bool = False) -> Job | None:
    """A waiting row becomes this worker's, as its next attempt. None when there is nothing to do (yet).

    `early`: also when it is not due, by whoever it has been waiting for.
    """
    now = timezone.now()
    job = registry.get(kind).model._default_manager.filter(pk=pk, state__in=WAITING).first()
    if job is None or (job.due_at and job.due_at > now and not early):
        return None
    try:
        claimed = _claim(job, worker, now)
    except IntegrityError:  # the model allows no second one of these to run at once: the sweep comes back to it
        return None
    if claimed:
        stream.publish_job("job.started", job)
    return job if claimed else None


def _claim(job: Job, worker: str, now: datetime) -> bool:
    with transaction.atomic():
        changed = _rows(job, *WAITING).update(
            state=State.RUNNING,
            attempt=F("attempt") + 1,
            worker=worker,
            heartbeat_at=now,
            started_at=now,
            due_at=None,
            stage="starting",
            percent=0,
            detail="",
            error_code="",
            error_message="",
        )
        if changed != 1:
            return False
        job.refresh_from_db()
        Attempt.objects.create(kind=job.kind, job_pk=job.pk, job_id=job.public_id, number=job.attempt, worker=worker)
    return True


def beat(job: Job, **fields: Any) -> bool:
    """The worker is alive and still owns the row. False: it was cancelled, or somebody else's attempt runs."""
    return _rows(job, State.RUNNING).update(heartbeat_at=timezone.now(), **fields) == 1


def finish(job: J, spans: dict[str, int], **result: Any) -> J:
    """Publishes the result. Raises StateMismatch when this attempt is no longer the row's."""
    fields = {"percent": 100, "stage": "", "detail": "", "spans": spans, **result}
    return _end(job, State.COMPLETE, (State.RUNNING,), fields)


def fail(
    job: J,
    code: str,
    message: str,
    retry: bool,
    spans: dict[str, int] | None = None,
    delay: timedelta | None = None,
) -> J:
    """Failed for good, or back to waiting when a retry may help and attempts are left.

    `delay` until the retry; by default one that doubles with every attempt.
    """
    fields: dict[str, Any] = {"error_code": code, "error_message": message[:500], "spans": spans or {}}
    if not retry or job.attempt >= job.max_attempts:
        return _end(job, State.FAILED, (State.RUNNING,), fields)
    due = timezone.now() + (retry_delay(job.attempt) if delay is None else delay)
    _change(job, (State.RUNNING,), state=State.RETRYING, due_at=due, stage="", detail="", **fields)
    _end_attempt(job, State.FAILED, code, message, spans)
    counters.count("oven_job_retries", job.kind, code)
    stream.publish_job("job.queued", job)
    turns.enqueue_next(job)
    return job


def release(job: J, reason: str) -> J:
    """Hands a running row back unfinished (the worker shuts down): it costs no attempt."""
    _change(job, (State.RUNNING,), state=State.QUEUED, max_attempts=F("max_attempts") + 1, stage="", detail=reason)
    _end_attempt(job, State.CANCELLED, "released", reason)
    queue.enqueue(job)
    stream.publish_job("job.queued", job)
    return job


def cancel(job: J, reason: str = "") -> J:
    """End a waiting row at once; ask a running one's worker to stop. Raises StateMismatch when it has ended.

    `reason` stays with the row as its detail.
    """
    try:
        return _end(job, State.CANCELLED, WAITING, {"stage": "", "detail": reason})
    except StateMismatch:
        job.refresh_from_db()  # it may have been claimed since it was read
        _change(job, (State.RUNNING,), state=State.CANCELLING, detail=reason or "Cancelling")
    queue.flag_cancel(job)
    stream.publish_job("job.progress", job)
    return job


def cancel_waiting(rows: QuerySet[Any]) -> int:
    """Cancel all of these that wait, many in one transaction. Return how many."""
    cancelled = 0
    while True:
        with transaction.atomic():
            batch = list(rows.filter(state__in=WAITING).select_for_update().order_by("pk")[:CANCELLED_AT_ONCE])
            fields = {"state": State.CANCELLED, "ended_at": timezone.now(), "due_at": None, "stage": "", "detail": ""}
            rows.model._default_manager.filter(pk__in=[job.pk for job in batch]).update(**fields)
            for job in batch:
                for name, value in fields.items():
                    setattr(job, name, value)
                if job.attempt:
                    _end_attempt(job, State.CANCELLED, job.error_code, job.error_message, job.spans)
                job.on_end()
            jobs_ended.send(rows.model, jobs=batch)
        for job in batch:
            counters.job_ended(job)
            stream.publish_job("job.ended", job)
        cancelled += len(batch)
        if len(batch) < CANCELLED_AT_ONCE:
            return cancelled


def move(job: J, lane: Lane) -> J:
    """A waiting row goes to another lane, behind what waits there. Raises StateMismatch when it does not wait."""
    old = job.lane
    _change(job, WAITING, lane=lane, rank=0)
    queue.move(job, old)
    stream.publish_job("job.queued", job)
    return job


def to_front(job: J) -> J:
    """A waiting row goes first within its lane. Raises StateMismatch when it does not wait."""
    others = type(job)._default_manager.filter(state__in=WAITING, lane=job.lane)
    first = others.aggregate(first=Min("rank"))["first"] or 0
    _change(job, WAITING, rank=first - 1)
    queue.move(job, job.lane, first=True)
    stream.publish_job("job.queued", job)
    return job


def join(job: J, client: str = "") -> J:
    """Let somebody else wait for an active row too: `client`, or (empty) a token or a member of staff.

    One that a bulk action holds back is due. One that an anonymous client asked for, and now somebody who is known,
    is not that client's any more.
    """
    if job.client and not client and _rows(job, *ACTIVE).update(client="") == 1:
        job.refresh_from_db()
        if job.state in WAITING:
            with contextlib.suppress(StateMismatch):
                move(job, Lane.NOW if job.lane == Lane.HEAVY else Lane(job.lane))
    rows = _rows(job, State.QUEUED).filter(bulk__isnull=False, due_at__gt=timezone.now())
    if rows.update(bulk=None, due_at=None, lane=Lane.NOW) == 1:
        job.refresh_from_db()
        _announce_queued(job)
    return job


def confirm_cancelled(job: J, spans: dict[str, int] | None = None) -> J:
    """The process that worked on it is gone."""
    return _end(job, State.CANCELLED, (State.CANCELLING,), {"stage": "", "detail": "", "spans": spans or {}})


def recover(job: J) -> J:
    """A row whose worker vanished: waits again, or fails once its attempts are used up."""
    if job.state == State.CANCELLING:
        return confirm_cancelled(job)
    job = fail(job, LOST, "The worker that ran it went away.", retry=True)
    if job.state == State.RETRYING:
        _change(job, (State.RETRYING,), due_at=None)
        queue.enqueue(job)
    return job


def retry_delay(attempt: int) -> timedelta:
    """Doubles with every attempt, with jitter so that a burst does not come back as one."""
    base = settings.OVEN_RETRY_BASE_S * 2 ** (attempt - 1)
    return timedelta(seconds=base * random.uniform(0.8, 1.2))


def _end(job: J, state: State, expected: tuple[State, ...], fields: dict[str, Any]) -> J:
    was_running = job.attempt > 0
    with transaction.atomic():
        _change(job, expected, state=state, ended_at=timezone.now(), due_at=None, **fields)
        if was_running:
            _end_attempt(job, state, job.error_code, job.error_message, job.spans)
        job.on_end()
        jobs_ended.send(type(job), jobs=[job])
    counters.job_ended(job)
    stream.publish_job("job.ended", job)
    turns.enqueue_next(job)
    return job


def _change(job: Job, expected: tuple[State, ...], **fields: Any) -> None:
    if _rows(job, *expected).update(**fields) != 1:
        raise StateMismatch(f"{job} is not {' or '.join(expected)}.")
    job.refresh_from_db()


def _rows(job: Job, *expected: State) -> QuerySet[Any]:
    return type(job)._default_manager.filter(pk=job.pk, attempt=job.attempt, state__in=expected)


def _end_attempt(job: Job, outcome: State, code: str, message: str, spans: dict[str, int] | None = None) -> None:
    fields: dict[str, Any] = {"spans": spans} if spans else {}
    Attempt.objects.filter(kind=job.kind, job_pk=job.pk, number=job.attempt, ended_at=None).update(
        outcome=outcome, ended_at=timezone.now(), error_code=code, error_message=message[:500], **fields
    )


def queue_wait_ms(job: Job, now: datetime | None = None) -> int:
    return round(((now or job.started_at or timezone.now()) - job.created_at).total_seconds() * 1000)


def attempt_name(job: Job, attempt: int) -> str:
    """What the files of one attempt are called: the first one's like the job."""
    return job.public_id if attempt == 1 else f"{job.public_id}-{attempt}"


def ended(job: Job) -> bool:
    return job.state in ENDED
