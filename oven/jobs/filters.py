"""Finding jobs: the filter that the live page, its history and bulk actions share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from oven.errors import BadRequest
from oven.jobs import queries, registry
from oven.jobs.models import Job
from oven.jobs.registry import JobKind
from oven.jobs.states import State

PAGE = 48
COUNT_CEILING = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT_CHARS = 200
NAMES = 200  # that jobs are looked up by


@dataclass(frozen=True, slots=True)
class Filter:
    """What jobs are looked for; empty fields do not matter. `piece` is a part of the name, in any case."""

    kind: str = ""
    state: str = ""
    source: str = ""
    piece: str = ""
    code: str = ""

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Filter:
        """From query parameters of the same names. Raises BadRequest for a kind or state that does not exist."""
        found = cls(**{field.name: str(raw.get(field.name, "")).strip()[:TEXT_CHARS] for field in fields(cls)})
        _check("kind", found.kind, [kind.name for kind in registry.shown()])
        _check("state", found.state, State.values)
        return found

    def kinds(self) -> list[JobKind]:
        return [kind for kind in registry.shown() if self.kind in ("", kind.name)]

    def rows(self, kind: JobKind) -> QuerySet[Any]:
        """Of one kind, with what is needed to show them."""
        wanted = Q()
        if self.state:
            wanted &= Q(state=self.state)
        if self.state == State.FAILED:
            wanted &= Q(requeued_at__isnull=True)
        if self.source:
            wanted &= Q(source=self.source)
        if self.code:
            wanted &= Q(error_code=self.code)
        if self.piece:
            wanted &= self._named(kind)
        return queries.rows(kind).filter(wanted)

    def _named(self, kind: JobKind) -> Q:
        """By a few names that hold the text, where they are kept; of many, the rows are read until a page is full."""
        found = kind.search_values(self.piece, NAMES + 1)
        if found is not None and len(found) <= NAMES:
            return Q(**{f"{kind.search_field}__in": found})
        return Q(**{f"{kind.search_field}__icontains": self.piece})


def _check(field: str, value: str, valid: Iterable[str]) -> None:
    if value and value not in valid:
        raise BadRequest(field, f"{field}: {value[:40]!r} is not one of {', '.join(valid)}.", list(valid))


# --- ended jobs, page by page ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Page:
    """`after` is the cursor of the next page, empty on the last one; `found` counts no further than a ceiling."""

    jobs: list[Job]
    after: str
    found: int
    capped: bool


def ended(wanted: Filter, before: str = "") -> Page:
    """A page of ended jobs, the newest end first. Raises BadRequest for a broken cursor."""
    jobs: list[Any] = []
    found = 0
    for kind in wanted.kinds():
        rows = wanted.rows(kind).filter(ended_at__isnull=False)
        found += rows.order_by()[: COUNT_CEILING + 1].count()
        if before:
            rows = rows.filter(_older(before))
        jobs += rows.order_by("-ended_at", "-id")[: PAGE + 1]
    jobs.sort(key=lambda job: (job.ended_at, job.pk), reverse=True)
    after = _cursor(jobs[PAGE - 1]) if len(jobs) > PAGE else ""
    return Page(jobs[:PAGE], after, min(found, COUNT_CEILING), found > COUNT_CEILING)


def _cursor(job: Any) -> str:
    return f"{(job.ended_at - EPOCH) // timedelta(microseconds=1)}.{job.pk}"


def _older(cursor: str) -> Q:
    """Ids of several kinds are compared with one another: all that matters is that every page does it alike."""
    try:
        micros, pk = cursor.split(".")
        moment = EPOCH + timedelta(microseconds=int(micros))
        return Q(ended_at__lt=moment) | Q(ended_at=moment, pk__lt=int(pk))
    except (ValueError, OverflowError):
        raise BadRequest("before", "before: this is not a cursor that a page has given.") from None
