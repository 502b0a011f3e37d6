from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from oven.jobs import cleanup, lifecycle, scratch


@pytest.fixture
def root(settings: Any) -> Iterator[Path]:
    place = Path(settings.OVEN_DATA) / "scratch"
    place.mkdir(parents=True, exist_ok=True)
    yield place
    shutil.rmtree(place)


def test_a_directory_is_there_for_as_long_as_the_work(grab: Any, root: Path) -> None:
    with scratch.directory(grab()) as place:
        (place / "half a file").write_text("x")
        assert place.parent == root
    assert list(root.iterdir()) == []


def test_it_goes_when_the_work_fails(grab: Any, root: Path) -> None:
    with pytest.raises(RuntimeError), scratch.directory(grab()):
        raise RuntimeError
    assert list(root.iterdir()) == []


def test_what_a_killed_attempt_left_goes_first(grab: Any, root: Path) -> None:
    job = grab()
    left, others = root / f"grab-{job.pk}-left", root / f"grab-{job.pk}1-other"
    left.mkdir()
    others.mkdir()
    with scratch.directory(job):
        assert not left.exists()
        assert others.exists()


def test_scratch_of_nobody_is_deleted(grab: Any, root: Path) -> None:
    running = lifecycle.claim("grab", grab().pk, "a:1:1")
    assert running is not None
    mine, orphan, of_another_kind = (
        root / f"grab-{running.pk}-abc",
        root / "grab-4711-a",
        root / f"bake-{running.pk}-a",
    )
    for path in (mine, orphan, of_another_kind):
        path.mkdir()
    assert cleanup.run()["scratch"] == 2
    assert [path for path in (mine, orphan, of_another_kind) if path.exists()] == [mine]


def test_scratch_of_a_job_that_starts_meanwhile_is_kept(grab: Any, root: Path) -> None:
    mine = root / f"grab-{grab().pk}-abc"

    def starts_after_the_look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        found = execute(sql, params, many, context)
        mine.mkdir(exist_ok=True)
        return found

    with connection.execute_wrapper(starts_after_the_look):
        scratch.sweep()
    assert mine.exists()
