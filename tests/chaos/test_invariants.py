"""The invariants see what they are there for: each is broken by hand."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from captures.models import Grab
from chaos import invariants, rounds
from chaos.instance import environment
from chaos.invariants import Invariants
from chaos.load import Promise, Wish
from chaos.monitor import Vigil
from chaos.plan import Plan
from chaos.site import tape
from oven.jobs import lifecycle, worker
from oven.storage import stores
from oven.storage.models import Artifact
from tests.support import finished

pytestmark = pytest.mark.django_db
WISH = Wish("grab", "c1", "POST", "/grab")


@pytest.fixture
def found(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Names of what is broken, after whatever the test has done."""
    changed = {
        name: {**settings.STORAGES[name], "OPTIONS": {**settings.STORAGES[name]["OPTIONS"], "location": str(place)}}
        for name in ("art", "blobs")
        for place in [tmp_path / "files" / name]
    }
    settings.STORAGES = {**settings.STORAGES, **changed}
    settings.OVEN_DATA = str(tmp_path)
    monkeypatch.setattr(invariants, "TIDY_S", 0.0)
    instance: Any = SimpleNamespace(workers=1, roles=lambda: {"browser": [1], "minifier": [1]})
    site: Any = SimpleNamespace(heard={})
    bucket: Any = SimpleNamespace(objects={})
    looker = Invariants(instance, Vigil(), site, bucket)

    def names(*promises: Promise, **fields: Any) -> set[str]:
        for name, value in fields.items():
            setattr(looker, name, value)
        return {breach.name for breach in looker.check(list(promises), every_byte=True)}

    return names


@pytest.fixture
def complete(grab: Any, tmp_path: Path) -> Any:
    return lambda: finished(grab(), tmp_path / "made")


def test_all_is_well_with_a_good_job(found: Any, complete: Any) -> None:
    assert found(Promise(WISH, complete().public_id)) == set()


def test_a_promise_without_a_row(found: Any) -> None:
    assert found(Promise(WISH, "orbit-12345678")) == {"accepted, but without a row"}
    assert found(Promise(WISH, "")) == {"accepted, but without a row"}


def test_a_job_that_never_ends(found: Any, grab: Any) -> None:
    grab()
    assert found() == {"neither ended nor waiting"}


def test_two_results_of_one_wish(found: Any, complete: Any, grab: Any, tmp_path: Path) -> None:
    first = complete()
    second = finished(grab(skip_cache=True), tmp_path / "again")
    assert second.capture_key == first.capture_key
    assert found() == {"several results of one request"}


def test_a_result_that_is_gone(found: Any, complete: Any) -> None:
    complete()
    Grab.objects.update(artifact=None)
    assert "complete without its result" in found()


def test_an_artifact_of_another_attempt(found: Any, complete: Any, tmp_path: Path) -> None:
    row = complete()
    (tmp_path / "other").write_bytes(b"other")
    stores.keep(tmp_path / "other", f"oven/grabs/{row}-2.png", "image/png")
    assert found() == {"artifacts of a job beside its own"}
    assert Artifact.objects.count() == 1  # the sweep has taken it


@pytest.mark.parametrize("bytes_", [None, b"other bytes", b"\x89PNG Pretend"])
def test_bytes_that_are_gone_or_others(found: Any, complete: Any, bytes_: bytes | None) -> None:
    path = stores.local_path("art", complete().artifact.key)
    assert path is not None
    path.unlink() if bytes_ is None else path.write_bytes(bytes_)
    assert found() == {"artifact without its bytes"}


def test_files_in_the_bucket_that_no_row_names(found: Any) -> None:
    assert found(bucket=SimpleNamespace(objects={"tapes/lost.mp4": 1})) == {"bytes without an artifact"}


def test_processes_that_stay(found: Any) -> None:
    roles = {"browser": [1, 2], "ffmpeg": [3]}
    assert found(instance=SimpleNamespace(workers=1, roles=lambda: roles)) == {"processes"}


def test_messages_that_nobody_has_written(found: Any) -> None:
    assert found(site=SimpleNamespace(heard={"c1": {"msg_unknown": 1}})) == {"told under several names"}


def test_the_vigil_sees_rows_that_no_live_worker_has(grab: Any) -> None:
    alive, dead, silent = (grab(piece=name) for name in ("orbit", "waves", "tiles"))
    for row, by in ((alive, worker.identity()), (dead, f"{worker.identity()}1"), (silent, worker.identity())):
        assert lifecycle.claim("grab", row.pk, by)
    Grab.objects.filter(pk=silent.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    vigil = Vigil()
    vigil.reset()
    vigil._look()
    time.sleep(0.05)
    vigil._look()
    assert set(vigil.orphans) == {("grab", dead.pk, 1), ("grab", silent.pk, 1)}
    assert vigil.active == 3
    assert vigil.longest_s >= 0.05


def test_a_scratch_instance_knows_nothing_of_the_callers_settings() -> None:
    mine = {"PATH": "/bin", "DATABASE_URL": "postgres://real", "OVEN_DATA": "/real", "ART_S3_BUCKET": "real"}
    assert environment(mine, {"OVEN_DATA": "/scratch"}) == {
        "PATH": "/bin",
        "OVEN_DATA": "/scratch",
        "OVEN_NO_DOTENV": "1",
    }


def test_a_plan_survives_the_way_through_a_command_line() -> None:
    import argparse

    from chaos import plan as plans

    plan = Plan(minutes=0, kills=7, seed=3, faults=("kill", "full"), rate=8.0, postgres=True, json="a.json")
    parser = argparse.ArgumentParser()
    plans.add_arguments(parser)
    assert Plan.of(vars(parser.parse_args(plan.as_arguments()))) == plan


@pytest.mark.parametrize(("broken", "code"), [([], 0), (["orbit-1"], 1)])
def test_the_exit_code_says_whether_all_has_held(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, broken: list[str], code: int
) -> None:
    breaches = invariants.breach("accepted, but without a row", broken)
    monkeypatch.setattr(rounds.Chaos, "_all", lambda self, chosen: breaches)
    nothing: Any = SimpleNamespace()
    chaos = rounds.Chaos(Plan(faults=("kill",), seed=1), nothing, nothing, nothing, None)
    assert chaos.run() == code
    assert f"lost: {len(broken)}" in capsys.readouterr().out


def test_the_tape_is_a_good_one(tmp_path: Path) -> None:
    from bakes.engine.bake import bake
    from bakes.engine.spec import BakeSpec

    (tmp_path / "tape.zip").write_bytes(tape(10, 64))
    result = bake(BakeSpec(tape=tmp_path / "tape.zip"), tmp_path, lambda progress: None)
    assert (result.frames, result.sound) == (10, False)
