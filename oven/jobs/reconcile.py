"""What keeps the promise that nothing is lost: looks at the rows, and puts right what the carriers dropped."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from redis.exceptions import RedisError

from oven.jobs import lifecycle, queue, registry, turns
from oven.jobs.registry import JobKind
from oven.jobs.states import ACTIVE, RUNNING, WAITING, Lane, State
from oven.jobs.worker import is_dead

log = logging.getLogger(__name__)
AGED_AT_ONCE = 2
ENQUEUED_AT_ONCE = 2000
SETTLE_S = 1.0  # a message this young may still be on its way


@dataclass(slots=True)
class Swept:
    """What one sweep did."""

    recovered: int = 0
    enqueued: int = 0
    aged: int = 0

    def __bool__(self) -> bool:
        return bool(self.recovered or self.enqueued or self.aged)


def sweep() -> Swept:
    """Safe to run at any time, anywhere, by several at once."""
    swept = Swept()
    for kind in registry.kinds():
        if not kind.model._default_manager.filter(state__in=ACTIVE).exists():
            continue  # most of the time, and every query here reads all of a row's columns
        swept.recovered += recover_lost(kind)
        swept.aged += age_lanes(kind)
        swept.enqueued += enqueue_missing(kind)
    if swept:
        log.info("sweep: %s", swept)
    return swept


def recover_lost(kind: JobKind) -> int:
    """Rows that run without a live worker."""
    recovered = 0
    for job in kind.model._default_manager.filter(state__in=RUNNING).iterator():
        if not _stale(job.heartbeat_at or job.created_at) and not is_dead(job.worker):
            continue
        try:
            lifecycle.recover(job)
        except lifecycle.StateMismatch:
            continue
        recovered += 1
    return recovered


def _stale(beaten: datetime) -> bool:
    """Too long ago; or as far ahead, where the clock has been set back since: a live worker beats by the new one."""
    return abs(timezone.now() - beaten) > timedelta(seconds=settings.OVEN_STALE_S)


def enqueue_missing(kind: JobKind) -> int:
    """Rows that wait, are due, and have no message under way."""
    now = timezone.now()
    # What lies ahead of now is not young: the clock has been set back.
    young = Q(created_at__range=(now - timedelta(seconds=SETTLE_S), now))
    due = Q(due_at=None) & ~young | Q(due_at__lte=now)
    rows = kind.model._default_manager.filter(due, state__in=WAITING).order_by("rank", "id")
    # Ten thousand of them must not cost a second every two.
    waiting = turns.with_turn(kind, rows.values_list("pk", "attempt", "client", "lane"))
    if not waiting:  # most of the time: the queue need not be asked
        return 0
    try:
        known = queue.under_way(kind)
        missing = [pk for pk, attempt in waiting if queue.id_of(kind.name, pk, attempt) not in known]
        due_now = missing[:ENQUEUED_AT_ONCE]  # the rest can wait: there is work enough until the next sweep
        chunks = (due_now[at : at + queue.AT_ONCE] for at in range(0, len(due_now), queue.AT_ONCE))
        return sum(queue.enqueue_many(kind, rows.filter(pk__in=chunk)) for chunk in chunks)
    except RedisError as error:
        log.warning("sweep: the queue is out of reach: %s", error)
        return 0


def age_lanes(kind: JobKind) -> int:
    """Whoever has waited longest moves one lane up, so that low lanes never starve.

    A few at a time: ten thousand that were asked for at once must not stand before whoever asks now.
    """
    old = timezone.now() - timedelta(seconds=settings.OVEN_AGE_LANE_S)
    aged = 0
    due = Q(due_at=None) | Q(due_at__lte=timezone.now())
    waiting = kind.model._default_manager.filter(due, state=State.QUEUED, lane=Lane.BATCH, created_at__lt=old)
    for job in waiting.order_by("id")[:AGED_AT_ONCE]:
        rows = kind.model._default_manager.filter(pk=job.pk, state=State.QUEUED, lane=Lane.BATCH)
        if rows.update(lane=Lane.BATCH.above) == 1:
            job.lane = Lane.BATCH.above
            queue.move(job, Lane.BATCH)
            aged += 1
    return aged
