"""One batch: which of some rows may go, what goes with them, and which files nobody needs afterwards."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from oven.jobs.models import Attempt, Job
from oven.jobs.states import ACTIVE
from oven.ops.retention import references
from oven.ops.retention.models import Leftover
from oven.ops.retention.targets import Subject


@dataclass
class Batch:
    """`names` and `ends` are of the rows; `going` says what is deleted, by model; `files` are not saved yet."""

    subject: Subject
    names: list[str] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)
    going: references.Going = field(default_factory=dict)
    files: list[Leftover] = field(default_factory=list)
    artifacts: list[int] = field(default_factory=list)

    @property
    def along(self) -> dict[str, int]:
        """How many rows of other kinds go with them, by what they are called."""
        others = {model: pks for model, pks in self.going.items() if model is not self.subject.model}
        return {str(model._meta.verbose_name_plural): len(pks) for model, pks in others.items() if pks}


def look(
    subject: Subject, pks: Collection[int], gone: references.Going = references.NOTHING, *, anyway: bool = False
) -> Batch:
    """Return what would go of these ended rows, if the rows of `gone` were not there any more.

    `anyway`: also what is protected, as long as nothing of it is active.
    """
    batch = Batch(subject)
    model = subject.model
    found = _present(subject, pks, gone)
    offspring = references.children(model, found, gone)
    kept = offspring.kept if anyway else offspring.kept | _protected(subject, found, gone)
    for pk, (at, *name) in found.items():
        if pk not in kept:
            batch.going.setdefault(model, set()).add(pk)
            batch.names.append(" #".join(map(str, name)))
            batch.ends.append(at)
    if not batch.names:
        return batch
    for child, parents in offspring.of.items():
        batch.going[child] = {pk for pk, parent in parents.items() if parent in batch.going[model]}
    _add_attempts(batch, gone)
    _add_files(batch, gone)
    return batch


def _present(subject: Subject, pks: Collection[int], gone: references.Going) -> dict[int, tuple[Any, ...]]:
    """Those that have ended and are still there: when, and what they are called."""
    rows = subject.model._base_manager.filter(pk__in=pks, ended_at__isnull=False).order_by("ended_at", "pk")
    if issubclass(subject.model, Job):
        rows = rows.exclude(state__in=ACTIVE)
    found = rows.values_list("pk", "ended_at", *subject.naming)
    return {pk: tuple(rest) for pk, *rest in found if pk not in gone.get(subject.model, ())}


def _protected(subject: Subject, found: Collection[int], gone: references.Going) -> set[int]:
    rows = subject.model._base_manager.filter(pk__in=found)
    return references.referred(subject.model, found, gone) | subject.retained(rows)


def _add_attempts(batch: Batch, gone: references.Going) -> None:
    for model, pks in list(batch.going.items()):
        if issubclass(model, Job):
            batch.going.setdefault(Attempt, set()).update(references.attempts(model, pks, gone))


def _add_files(batch: Batch, gone: references.Going) -> None:
    artifacts, keys = references.unused(batch.going, gone)
    batch.artifacts = [row.pk for row in artifacts]
    batch.files = [Leftover(store=row.store, key=row.key, bytes=row.bytes) for row in artifacts]
    batch.files += [Leftover(store=references.ART, key=key) for key in keys]
