from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from captures.models import Grab
from oven.jobs import lifecycle, queries, registry
from tests.support import finished


@pytest.mark.parametrize(
    ("position", "workers", "wait"), [(1, 1, 100), (3, 1, 300), (1, 2, 100), (3, 2, 200), (1, 0, 100)]
)
def test_the_wait_is_so_many_rounds_of_the_mean(position: int, workers: int, wait: int) -> None:
    assert queries.estimated_wait_ms(position, workers, 100) == wait


def test_the_mean_is_that_of_the_last_good_ones(grab: Any, tmp_path: Path) -> None:
    kind = registry.get("grab")
    assert queries.mean_duration_ms(kind) == queries.DEFAULT_WAIT_MS
    for number, seconds in enumerate((2, 4)):
        row = finished(grab(piece=f"p{number}"), tmp_path)
        end = timezone.now()
        Grab.objects.filter(pk=row.pk).update(started_at=end - timedelta(seconds=seconds), ended_at=end)
    bad = lifecycle.claim("grab", grab(piece="bad").pk, "test:1:1")
    assert bad is not None
    lifecycle.fail(bad, "timeout", "Too slow.", retry=False)
    assert queries.mean_duration_ms(kind) == 3000


def test_running_waiting_and_recent_are_told_apart(grab: Any, tmp_path: Path) -> None:
    kind = registry.get("grab")
    ended = finished(grab(piece="one"), tmp_path)
    running = lifecycle.claim("grab", grab(piece="two").pk, "test:1:1")
    waiting = grab(piece="three")
    assert [queries.recent(kind, 5), queries.running(kind), queries.waiting(kind)] == [[ended], [running], [waiting]]
    assert queries.waits(kind, [waiting], 1) == [queries.mean_duration_ms(kind)]
