"""What rules are about: every kind of job, and the attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from oven.jobs import registry
from oven.jobs.models import Attempt
from oven.jobs.states import ACTIVE

ATTEMPT = "attempt"


@dataclass(frozen=True, slots=True)
class Subject:
    """One kind of rows with an `ended_at`, and the limits that its rule starts with."""

    name: str
    model: Any
    naming: tuple[str, ...] = ("public_id",)  # fields that people know a row by
    keys: tuple[str, ...] = ()
    protect: Callable[[QuerySet[Any]], Iterable[int]] | None = None
    keep_days: int | None = 90
    keep_rows: int | None = 1_000_000

    @property
    def label(self) -> str:
        return str(self.model._meta.verbose_name_plural)

    def retained(self, rows: QuerySet[Any]) -> set[int]:
        """Those that the kind itself wants to stay."""
        return set(self.protect(rows)) if self.protect else set()


def subjects() -> list[Subject]:
    """All, the attempts last: most of theirs go with their jobs."""
    return [*map(_of_kind, registry.kinds()), _attempts()]


def subject(name: str) -> Subject:
    return next(found for found in subjects() if found.name == name)


def _of_kind(kind: registry.JobKind) -> Subject:
    return Subject(
        name=kind.name,
        model=kind.model,
        keys=kind.file_fields,
        protect=kind.retained,
        keep_days=kind.keep_days,
        keep_rows=kind.keep_rows,
    )


def _attempts() -> Subject:
    return Subject(ATTEMPT, Attempt, ("job_id", "number"), ("last_frame",), attempts_of_active_jobs)


def attempts_of_active_jobs(rows: QuerySet[Attempt]) -> Iterable[int]:
    """What has been tried so far belongs to a job that still waits or runs."""
    for kind in registry.kinds():
        own = dict(rows.filter(kind=kind.name).values_list("pk", "job_pk"))
        if own:
            jobs = kind.model._default_manager.filter(pk__in=set(own.values()), state__in=ACTIVE)
            active = set(jobs.values_list("pk", flat=True))
            yield from (pk for pk, job in own.items() if job in active)


def key_fields() -> list[tuple[type[Model], str]]:
    """Every field of any model that holds the key of a file in the art store."""
    own = [(subject.model, field) for subject in subjects() for field in subject.keys]
    pointers = [path.rsplit(".", 1) for kind in registry.kinds() for path in kind.referenced_by]
    return [*own, *((apps.get_model(label), field) for label, field in dict.fromkeys(map(tuple, pointers)))]
