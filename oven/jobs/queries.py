"""What runs, waits and has ended, of any kind of job; and how long the waiting ones may have to wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import Case, QuerySet, When

from oven.jobs import queue
from oven.jobs.models import Job
from oven.jobs.registry import JobKind
from oven.jobs.states import RUNNING, WAITING, Lane, State

DEFAULT_WAIT_MS = 30_000
LANE_ORDER = Case(*(When(lane=lane, then=rank) for rank, lane in enumerate(Lane.values)))


def rows(kind: JobKind) -> QuerySet[Any]:
    """With what is needed to show them."""
    return kind.model._default_manager.select_related(*kind.related)


def running(kind: JobKind) -> list[Any]:
    return list(rows(kind).filter(state__in=RUNNING).order_by("id"))


def waiting(kind: JobKind, most: int = 0) -> list[Any]:
    """The queue as it will be served: by lane, what was moved to the front, then by age."""
    found = rows(kind).filter(state__in=WAITING)
    return list(found.order_by(LANE_ORDER, "rank", "id")[: most or settings.OVEN_QUEUE_CEILING])


def waiting_count(kind: JobKind) -> int:
    return kind.model._default_manager.filter(state__in=WAITING).count()


def recent(kind: JobKind, count: int) -> list[Any]:
    """The last to end first."""
    return list(rows(kind).filter(ended_at__isnull=False).order_by("-ended_at", "-id")[:count])


def mean_duration_ms(kind: JobKind) -> int:
    """Of the last ten good ones, from their start (waiting does not count)."""
    good = kind.model._default_manager.filter(state=State.COMPLETE).order_by("-id")
    spans = [
        (end - start).total_seconds() * 1000
        for start, end in good.values_list("started_at", "ended_at")[:10]
        if start and end
    ]
    return round(sum(spans) / len(spans)) if spans else DEFAULT_WAIT_MS


def estimated_wait_ms(position: int, workers: int, mean_ms: int) -> int:
    """Until the job at a position of the queue (from 1) is through."""
    return mean_ms * -(-position // max(1, workers))


def waits(kind: JobKind, queue: Sequence[Job], workers: int) -> list[int]:
    """The estimates of a whole queue."""
    mean = mean_duration_ms(kind) if queue else 0
    return [estimated_wait_ms(position, workers, mean) for position in range(1, len(queue) + 1)]


def workers(kind: JobKind) -> int:
    """Workers of a kind that are alive; one when nobody can tell."""
    try:
        return max(1, queue.workers_of(kind.pool))
    except Exception:  # the count only shapes an estimate
        return 1
