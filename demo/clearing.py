"""Takes away all that the demo has brought, files included."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from django.db.models import F, QuerySet

from bakes.models import Delivery, IncomingTape
from captures.frozen import unfreeze
from captures.models import FrozenPiece
from demo.show import MARK, cancel
from oven.jobs.models import DEMO, Job
from oven.jobs.states import ACTIVE
from oven.ops.retention import deletion
from oven.ops.retention.report import Tally
from oven.ops.retention.targets import Subject, subjects

LOOK_S = 0.2


def own() -> Iterator[tuple[Subject, QuerySet[Any]]]:
    """Rows of every kind whose source is the demo. The latest kinds first: they refer to the earlier ones."""
    for subject in reversed(subjects()):
        if issubclass(subject.model, Job):
            yield subject, subject.model._default_manager.filter(source=DEMO)


def stop(limit_s: float) -> int:
    """Cancels what is active; returns how much of it has not ended within the limit."""
    active = [rows.filter(state__in=ACTIVE) for _, rows in own()]
    active.append(Delivery.objects.filter(bake__source=DEMO, state__in=ACTIVE))
    deadline = time.monotonic() + limit_s
    while True:
        found = [job for rows in active for job in rows.all()]
        for job in found:
            cancel(job)
        if not found or time.monotonic() >= deadline:
            return sum(rows.count() for rows in active)
        time.sleep(LOOK_S)


def clear() -> list[Tally]:
    """Deletes what has ended, with all files, and takes pieces off the frozen list that came on it by the demo."""
    _unfreeze()
    IncomingTape.objects.filter(code__startswith="demo-").delete()
    found = []
    for subject, rows in own():
        tally = Tally(subject.label)
        for batch in deletion.erase_all(subject, rows.order_by("pk").values_list("pk", flat=True)):
            tally.add(batch)
        found.append(tally)
    return [tally for tally in found if tally.rows]


def _unfreeze() -> None:
    by_grab = FrozenPiece.objects.filter(grab__source=DEMO)
    listed_before = by_grab.filter(first_detected__lt=F("grab__created_at"))
    before = [entry.pk for entry in listed_before if not _by_an_earlier_demo(entry)]
    FrozenPiece.objects.filter(pk__in=before).update(grab=None, preview="")
    by_hand = FrozenPiece.objects.filter(reason="staff", error__startswith=MARK)
    for entry in [*by_grab.all(), *by_hand]:
        unfreeze(entry.piece)


def _by_an_earlier_demo(entry: FrozenPiece) -> bool:
    """Whether the first grab of the piece that could have listed it was the demo's own."""
    from captures.models import Grab

    earlier = Grab.objects.filter(piece=entry.piece, created_at__lte=entry.first_detected).order_by("-id").first()
    return earlier is not None and earlier.source == DEMO
