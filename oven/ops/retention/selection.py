"""Which rows are over their limits, oldest end first, read along the index of `ended_at`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet

from oven.ops.retention.models import RetentionRule
from oven.ops.retention.targets import Subject

BATCH = 300  # rows of one transaction


class Place(NamedTuple):
    """In the order of ends."""

    at: datetime
    pk: int


START = Place(datetime(1, 1, 1, tzinfo=UTC), 0)


def limit(subject: Subject, rule: RetentionRule, now: datetime) -> Place | None:
    """The newest place that is over either limit; None when no row can be."""
    ended = subject.model._base_manager.filter(ended_at__isnull=False)
    places = []
    if rule.keep_days is not None:
        places.append(Place(now - timedelta(days=rule.keep_days), 0))
    if rule.keep_rows is not None:
        last = ended.order_by("-ended_at", "-pk").values_list("ended_at", "pk")
        places += [Place(*found) for found in last[rule.keep_rows : rule.keep_rows + 1]]
    return max(places, default=None)


def rows(subject: Subject, last: Place, after: Place = START) -> QuerySet[Any]:
    """After one place, up to another, in order."""
    found = subject.model._base_manager.filter(ended_at__lte=last.at, ended_at__gte=after.at)
    found = found.exclude(ended_at=last.at, pk__gt=last.pk).exclude(ended_at=after.at, pk__lte=after.pk)
    return found.order_by("ended_at", "pk")  # type: ignore[no-any-return]


def batches(subject: Subject, last: Place, after: Place = START) -> Iterator[tuple[list[int], Place]]:
    """Primary keys, and the place that has been reached with them."""
    while found := list(rows(subject, last, after).values_list("ended_at", "pk")[:BATCH]):
        after = Place(*found[-1])
        yield [pk for _, pk in found], after
