"""Writes a row for every minute and kind, from the jobs that ended in it. Doing it twice changes nothing."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate

from django.conf import settings
from django.db.models import Q

from oven.jobs import registry
from oven.jobs.registry import JobKind
from oven.jobs.states import ACTIVE, State
from oven.ops.health.models import Minute
from oven.ops.health.quantiles import as_text, digest

DAY = 24 * 60
AGAIN = 1  # so many minutes before the present one are looked at again: a late commit is not missed
FIELDS = ("done", "failed", "cancelled", "depth", "durations")
_COLUMN = {str(State.COMPLETE): "done", str(State.FAILED): "failed", str(State.CANCELLED): "cancelled"}


@dataclass(slots=True)
class Tally:
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    depth: int = 0
    times_ms: list[float] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.done or self.failed or self.cancelled or self.depth)


def this_minute() -> int:
    return int(time.time()) // 60


def moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


def tallies(kind: JobKind, first: int, last: int) -> dict[int, Tally]:
    """Of the minutes from `first` to `last`. Depth is what waited at the end of each: the rows tell no more."""
    found: dict[int, Tally] = defaultdict(Tally)
    change = [0] * (last - first + 2)  # in how many wait, by minute
    rows = kind.model._default_manager.filter(Q(ended_at__gte=moment(first)) | Q(state__in=ACTIVE))
    for state, created, started, ended in rows.values_list(
        "state", "created_at", "started_at", "ended_at"
    ).iterator():
        left = started or ended
        change[_clipped(created, first, last)] += 1
        change[_clipped(left, first, last) if left else -1] -= 1
        if ended is None or ended >= moment(last + 1):
            continue
        tally = found[int(ended.timestamp()) // 60]
        setattr(tally, _COLUMN[state], getattr(tally, _COLUMN[state]) + 1)
        if state == State.COMPLETE and started:
            tally.times_ms.append((ended - started).total_seconds() * 1000)
    for number, depth in enumerate(accumulate(change[:-1])):
        if depth:
            found[first + number].depth = depth
    return found


def _clipped(when: datetime, first: int, last: int) -> int:
    return min(max(0, int(when.timestamp()) // 60 - first), last - first + 1)


class Sampler:
    """`look` at the queues often, `write` now and then."""

    def __init__(self) -> None:
        self._deepest: dict[tuple[int, str], int] = {}
        self._written: int | None = None  # up to this minute

    def look(self, waiting: dict[str, int]) -> None:
        """`waiting`: how many, by kind."""
        now = this_minute()
        for kind, depth in waiting.items():
            self._deepest[now, kind] = max(depth, self._deepest.get((now, kind), 0))

    def write(self) -> int:
        """Everything up to now, from where it was left, up to a day back. Returns how many rows were written."""
        last = this_minute()
        first = max(self._start(), last - DAY)
        rows = []
        for kind in registry.kinds():
            found = tallies(kind, first, last)
            deepest = {minute: depth for (minute, name), depth in self._deepest.items() if name == kind.name}
            for minute, depth in deepest.items():
                found[minute].depth = max(found[minute].depth, depth)
            rows += [_row(minute, kind, tally) for minute, tally in found.items() if tally and minute >= first]
        _save(rows, first)
        self._written = last
        self._deepest = {(at, name): depth for (at, name), depth in self._deepest.items() if at >= last - AGAIN}
        return len(rows)

    def _start(self) -> int:
        if self._written is None:
            newest = Minute.objects.values_list("at", flat=True).first()
            self._written = newest or 0
        return self._written - AGAIN


def _row(minute: int, kind: JobKind, tally: Tally) -> Minute:
    return Minute(
        at=minute,
        kind=kind.name,
        done=tally.done,
        failed=tally.failed,
        cancelled=tally.cancelled,
        depth=tally.depth,
        durations=as_text(digest(tally.times_ms)),
    )


def _save(rows: Iterable[Minute], first: int) -> None:
    """Only what is new or different is written. A depth that was seen once stays."""
    before = {(row.at, row.kind): row for row in Minute.objects.filter(at__gte=first)}
    changed = []
    for row in rows:
        old = before.get((row.at, row.kind))
        if old is not None:
            row.depth = max(row.depth, old.depth)
        if old is None or any(getattr(old, name) != getattr(row, name) for name in FIELDS):
            changed.append(row)
    if changed:
        Minute.objects.bulk_create(
            changed, update_conflicts=True, unique_fields=["at", "kind"], update_fields=list(FIELDS), batch_size=500
        )


def prune() -> int:
    """Forgets minutes that are too old; returns how many."""
    oldest = this_minute() - round(settings.OVEN_SAMPLE_DAYS * DAY)
    deleted, _ = Minute.objects.filter(at__lt=oldest).delete()
    return deleted
