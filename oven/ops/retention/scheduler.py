"""Retention by itself: housekeeping deletes a little at a time, a whole pass at most once an hour."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

from django.utils import timezone

from oven.events import stream
from oven.ops.retention import deletion, orphans, selection
from oven.ops.retention.models import RetentionRule
from oven.ops.retention.selection import Place

EVERY = timedelta(hours=1)
BUDGET_S = 5.0  # the worker that does it has callbacks to send


def run(budget_s: float = BUDGET_S) -> dict[str, int]:
    """Goes on where the last slice stopped. Returns how many rows went, by kind."""
    deadline = time.monotonic() + budget_s
    cleared: Counter[str] = Counter()
    deletion.resume()
    for subject, rule in deletion.ruled():
        if time.monotonic() >= deadline:
            break
        if rule.passed_at is None or rule.passed_at <= timezone.now() - EVERY:
            task = deletion.Task(subject, rule, selection.limit(subject, rule, timezone.now()))
            cleared[subject.name] += _slice(task, deadline)
    cleared["unpublished file"] = orphans.drop_unpublished()
    gone = {f"retention {name}": count for name, count in cleared.items() if count}
    if gone:  # one line, however many went
        stream.log(
            "cleanup", "Past their time: " + ", ".join(f"{count} {name}" for name, count in (+cleared).items())
        )
    return gone


def _slice(task: deletion.Task, deadline: float) -> int:
    count = 0
    rule = task.rule
    own = RetentionRule.objects.filter(pk=rule.pk)
    start = Place(rule.reached_at, rule.reached_pk) if rule.reached_at else selection.START
    for batch, reached in deletion.wet(task, start):
        count += len(batch.names)
        if time.monotonic() >= deadline:
            own.update(reached_at=reached.at, reached_pk=reached.pk)
            return count
    own.update(passed_at=timezone.now(), reached_at=None, reached_pk=0)
    return count
