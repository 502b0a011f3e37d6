"""Looks what is over its limits, and deletes it.

A batch is one short transaction: its rows go, and in their place `Leftover` rows name the files that nobody needs
any more. Then the files go, then the `Leftover` rows. Killed at any point, there is no row without its bytes, and no
bytes without a row: the next run begins with what was left over. A dry run asks the same questions of the same
batches, and remembers what would be gone, so that it finds exactly what a run would delete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from oven.ops.retention import files, selection
from oven.ops.retention.batches import Batch, look
from oven.ops.retention.models import Leftover, RetentionRule
from oven.ops.retention.references import Going
from oven.ops.retention.selection import BATCH, Place
from oven.ops.retention.targets import Subject, subjects
from oven.storage.models import Artifact


class Task(NamedTuple):
    """One rule, and the newest place that is over its limits (None: nothing is)."""

    subject: Subject
    rule: RetentionRule
    last: Place | None

    def batches(self, after: Place = selection.START) -> Iterator[tuple[list[int], Place]]:
        return selection.batches(self.subject, self.last, after) if self.last else iter(())


def ruled(kinds: Collection[str] = ()) -> list[tuple[Subject, RetentionRule]]:
    """Everything that has a rule, or those of these kinds, in the order in which it is done."""
    rules = {rule.kind: rule for rule in RetentionRule.objects.all()}
    return [
        (subject, rules[subject.name])
        for subject in subjects()
        if subject.name in rules and (not kinds or subject.name in kinds)
    ]


def tasks(kinds: Collection[str] = ()) -> list[Task]:
    """All limits as of now: what goes with one kind does not make room for another."""
    now = timezone.now()
    return [Task(subject, rule, selection.limit(subject, rule, now)) for subject, rule in ruled(kinds)]


def dry(task: Task, gone: Going) -> Iterator[Batch]:
    """Yield what a run would delete, and add it to `gone`: what the kinds before would have deleted."""
    for pks, _ in task.batches():
        batch = look(task.subject, pks, gone)
        for model, going in {**batch.going, Artifact: set(batch.artifacts)}.items():
            gone.setdefault(model, set()).update(going)
        files.measure(batch.files)
        yield batch


def wet(task: Task, after: Place = selection.START) -> Iterator[tuple[Batch, Place]]:
    """Deletes; says with every batch how far it has come."""
    for pks, reached in task.batches(after):
        yield erase(task.subject, pks), reached


def erase(subject: Subject, pks: Collection[int], *, anyway: bool = False) -> Batch:
    """Deletes what may go of these rows, with all that belongs to them."""
    with transaction.atomic():
        list(subject.model._base_manager.select_for_update().filter(pk__in=pks).values_list("pk"))
        batch = look(subject, pks, anyway=anyway)
        _delete(batch)
    files.measure(batch.files)
    files.drop(batch.files)
    return batch


def _delete(batch: Batch) -> None:
    for model, pks in reversed(batch.going.items()):  # what goes along before what it goes along with
        model._base_manager.filter(pk__in=pks).delete()
    Artifact.objects.filter(pk__in=batch.artifacts).delete()
    Leftover.objects.bulk_create(batch.files)


def erase_all(subject: Subject, pks: Iterable[int]) -> Iterator[Batch]:
    """Deletes these rows whatever protects them, but for active ones."""
    found = list(pks)
    for at in range(0, len(found), BATCH):
        yield erase(subject, found[at : at + BATCH], anyway=True)


def leftovers() -> list[Leftover]:
    """Files that a run was killed over, with their bytes."""
    found = files.unwanted(Leftover.objects.order_by("pk"))
    files.measure(found)
    return found


def resume() -> list[Leftover]:
    """Deletes them. Those that somebody has taken up again only lose their mark."""
    wanted = leftovers()
    gone = files.drop(wanted)
    Leftover.objects.exclude(pk__in=[file.pk for file in wanted]).delete()
    return gone
