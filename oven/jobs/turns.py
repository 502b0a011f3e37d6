"""Turns of anonymous clients in the queue.

Of each client's waiting jobs in a lane only the first few have a message in the queue, as many as there are workers.
The next one gets its message when one of them ends. Whoever comes later waits behind these few, and not behind all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from oven.jobs import queries, queue, registry
from oven.jobs.models import Job
from oven.jobs.states import RUNNING, WAITING
from oven.ttl_cache import Kept

WORKERS_KEPT_S = 5.0
_workers: dict[str, Kept[int]] = {}


def has_turn(job: Job) -> bool:
    """Return whether a waiting job may have a message now."""
    if not job.client:
        return True
    before = Q(rank__lt=job.rank) | Q(rank=job.rank, pk__lt=job.pk)
    ahead = _of_client(job).filter(Q(state__in=RUNNING) | _due() & before)
    return ahead.count() < _at_once(job.kind)


def enqueue_next(ended: Job) -> None:
    """Enqueue the job whose turn it is, now that one of the same client does not run any more."""
    if not ended.client:
        return
    rows = _of_client(ended)
    position = _at_once(ended.kind) - rows.filter(state__in=RUNNING).count() - 1
    if position < 0:
        return
    for job in rows.filter(_due()).order_by("rank", "pk")[position : position + 1]:
        queue.enqueue(job)


def with_turn(kind: registry.JobKind, waiting: Iterable[tuple[int, int, str, str]]) -> list[tuple[int, int]]:
    """Return key and attempt of those that may have a message; `waiting`: key, attempt, client and lane, in order."""
    rows = list(waiting)
    if not any(client for _, _, client, _ in rows):
        return [(pk, attempt) for pk, attempt, _, _ in rows]
    running = kind.model._default_manager.filter(state__in=RUNNING).exclude(client="")
    taken = Counter(running.values_list("client", "lane"))
    found = []
    for pk, attempt, client, lane in rows:
        taken[client, lane] += 1
        if not client or taken[client, lane] <= _at_once(kind.name):
            found.append((pk, attempt))
    return found


def _of_client(job: Job) -> QuerySet[Any]:
    return type(job)._default_manager.filter(client=job.client, lane=job.lane)


def _due() -> Q:
    return Q(state__in=WAITING) & (Q(due_at=None) | Q(due_at__lte=timezone.now()))


def _at_once(kind: str) -> int:
    if kind not in _workers:
        _workers[kind] = Kept(lambda: queries.workers(registry.get(kind)), WORKERS_KEPT_S)
    return _workers[kind]()
