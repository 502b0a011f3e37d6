"""What waits and runs now, of every kind, in one query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import CharField, Count, Min, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from oven.jobs import registry
from oven.jobs.registry import JobKind
from oven.jobs.states import ACTIVE, WAITING


@dataclass(frozen=True, slots=True)
class Part:
    """The active jobs of one kind, state and lane: how many, and how long the oldest has been in it (seconds)."""

    kind: str
    state: str
    lane: str
    count: int
    oldest_s: float

    @property
    def waiting(self) -> bool:
        return self.state in WAITING


def parts() -> list[Part]:
    """Raises DatabaseError. What waits for a later time (a retry) is not late before that."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(*_query(connection.vendor))
        rows = cursor.fetchall()
    return [
        Part(kind, state, lane, count, _age(state, now, *map(_moment, times)))
        for kind, state, lane, count, *times in rows
    ]


@cache
def _query(vendor: str) -> tuple[str, Sequence[Any]]:
    """Composed once: that takes ten times as long as running it, and it is run every few seconds."""
    first, *others = [_active(kind) for kind in registry.kinds()]
    sql, params = first.union(*others, all=True).query.sql_with_params()
    return sql, params


def _moment(value: datetime | str | None) -> datetime | None:
    """SQLite gives text, in UTC."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value


def _active(kind: JobKind) -> QuerySet[Any, Any]:
    rows = kind.model._default_manager.filter(state__in=ACTIVE).order_by()
    rows = rows.annotate(of_kind=Value(kind.name, output_field=CharField()))
    found = rows.values("of_kind", "state", "lane").annotate(
        number=Count("pk"),
        created=Min("created_at"),
        started=Min("started_at"),
        due=Min(Coalesce("due_at", "created_at")),
    )
    return found.values_list("of_kind", "state", "lane", "number", "created", "started", "due")


def _age(state: str, now: datetime, created: Any, started: datetime | None, due: Any) -> float:
    since = due if state in WAITING else (started or created)
    return max(0.0, float((now - since).total_seconds()))


def waiting(found: Iterable[Part]) -> dict[str, int]:
    """How many wait, by kind."""
    counts = dict.fromkeys((kind.name for kind in registry.kinds()), 0)
    for part in found:
        if part.waiting:
            counts[part.kind] += part.count
    return counts
