from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from oven.ops.metrics import machine
from oven.ttl_cache import Kept

MB = 1 << 20


def container(place: Path, most: str) -> Path:
    (place / "memory.max").write_text(most)
    (place / "memory.current").write_text(str(80 * MB))
    (place / "memory.stat").write_text(f"anon 1\ninactive_file {30 * MB}\n")
    return place


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CGROUP", container(tmp_path, str(100 * MB)))
    assert machine.memory() == {"usedMB": 50, "totalMB": 100, "percent": 50.0}


@pytest.mark.parametrize("most", ["max", str(1 << 62)])
def test_without_a_limit_the_machine_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str) -> None:
    monkeypatch.setattr(machine, "CGROUP", container(tmp_path, most))
    assert machine.memory()["totalMB"] == psutil.virtual_memory().total >> 20


def test_a_disk_is_as_full_as_df_says() -> None:
    found = machine.disk(Path("/"))
    assert abs(found["percent"] - psutil.disk_usage("/").percent) < 1


def test_a_process_that_is_gone_takes_nothing() -> None:
    own, browser = machine.worker_memory(None)
    assert (own > 20, browser) == (True, None)
    assert machine.worker_memory(2**22 + 1)[1] == 0
    assert machine.tree(2**22 + 1) == []


def test_the_rest_is_this_process_where_no_supervisor_runs_it() -> None:
    alone = machine.rest_memory({os.getpid()})
    assert abs(alone - machine.megabytes([psutil.Process()])) < 20


def test_an_answer_is_kept_for_a_while() -> None:
    made: list[int] = []
    kept = Kept(lambda: made.append(1) or len(made), 100.0)
    assert (kept(), kept()) == (1, 1)
    kept.forget()
    assert kept() == 2
