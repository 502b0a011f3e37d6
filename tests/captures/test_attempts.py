"""What attempts store: of a grab there is one set of files in the end, that of the attempt that counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from captures import runner
from captures.engine.spec import CaptureResult, File, Format, Mode, Ready
from captures.models import Grab
from captures.requests import GrabRequest
from oven.jobs import lifecycle
from oven.jobs.context import JobContext
from oven.storage import stores
from oven.storage.models import Artifact

pytestmark = pytest.mark.django_db


@pytest.fixture
def stored(tmp_path: Path, settings: Any) -> Any:
    """Names of the files in the art store."""
    art = {**settings.STORAGES["art"], "OPTIONS": {"location": str(tmp_path / "art"), "allow_overwrite": True}}
    settings.STORAGES = {**settings.STORAGES, "art": art}
    return lambda: {path.name for path in (tmp_path / "art").rglob("*") if path.is_file()}


@pytest.fixture
def end(tmp_path: Path) -> Any:
    """Takes an attempt to its end, with a picture as the engine hands it over."""

    def conclude(job: Any) -> None:
        path = tmp_path / f"{job.attempt}.png"
        path.write_bytes(b"\x89PNG pretend")
        result = CaptureResult(
            path, Format.PNG, 64, 64, 1, 12, Mode.PLAIN, Ready.SIGNAL, 1, b"poster",
            files=[File(path, Format.PNG, 64, 64, 1)],
        )  # fmt: skip
        runner.GrabRunner()._store_and_publish(JobContext(job), job, GrabRequest.from_json(job.spec), result)

    return conclude


def attempt(row: Any) -> Any:
    job = lifecycle.claim("grab", row.pk, "a:1:1")
    assert job is not None
    return job


def test_what_a_lost_attempt_has_stored_goes(
    grab: Any, end: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = grab(format="png")
    with monkeypatch.context() as patched:
        patched.setattr(lifecycle, "finish", lambda *_, **__: 1 / 0)  # the machine dies after it has stored
        with pytest.raises(ZeroDivisionError):
            end(attempt(row))
    assert stored() == {f"{row}.png", f"{row}.webp"}
    lifecycle.recover(Grab.objects.get())
    end(attempt(row))
    assert Grab.objects.get().artifact == Artifact.objects.get()
    assert stored() == {f"{row}-2.png", f"{row}-2.webp"}


def test_a_late_attempt_leaves_nothing_behind(
    grab: Any, end: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = grab(format="png")
    late = attempt(row)
    lifecycle.recover(Grab.objects.get())
    end(attempt(row))
    monkeypatch.setattr(JobContext, "beat", lambda self: None)  # its last look was before the other one took over
    with pytest.raises(lifecycle.StateMismatch):
        end(late)
    assert Artifact.objects.get().key == f"oven/grabs/{row}-2.png"
    assert stored() == {f"{row}-2.png", f"{row}-2.webp"}


def test_a_store_that_does_not_delete_stops_nobody(
    grab: Any, end: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = grab(format="png")
    lifecycle.recover(attempt(row))

    def refuse(*_: object) -> None:
        raise stores.StoreError("no")

    monkeypatch.setattr(stores, "drop_key", refuse)
    end(attempt(row))
    assert Grab.objects.get().state == "complete"
