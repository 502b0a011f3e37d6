"""What the command says is what happens; what no row names is found; housekeeping does it in slices."""

from __future__ import annotations

import os
import random
import re
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bakes.models import Bake, Delivery
from captures.models import FrozenPiece, Grab
from captures.services import ask_again
from oven.events import stream
from oven.jobs import cleanup, lifecycle
from oven.jobs.models import Attempt
from oven.ops.retention import deletion, files, orphans, report, scheduler, selection
from oven.ops.retention.models import Leftover, RetentionRule
from oven.ops.retention.targets import subject
from oven.storage import stores
from oven.storage.models import Artifact
from tests.oven.ops.retention.conftest import age, retention
from tests.oven.storage.conftest import s3, seaweed

__all__ = ["s3", "seaweed"]
pytestmark = pytest.mark.django_db


# --- dry run and run ------------------------------------------------------------------------------------------------


@pytest.fixture
def history(old_grab: Any, failed_grab: Any, old_bake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bit of everything, over several batches, under limits of all kinds."""
    monkeypatch.setattr(selection, "BATCH", 3)
    dice = random.Random(5)
    grabs = [old_grab(days=dice.choice([10, 80, 95, 300]), piece=f"orbit~{n % 4}") for n in range(12)]
    failed_grab(piece="loop", days=120)
    failed_grab(piece="loop~2", days=2)
    age(lifecycle.cancel(ask_again(grabs[0], skip_cache=True).grab), 94)
    FrozenPiece.objects.create(piece="still", reason="frozen", grab=grabs[1], preview=grabs[2].poster)
    for number in range(7):
        old_bake(f"tape{number % 3}", days=500 - number, delivered=number % 2 == 0)
    Delivery.objects.filter(state="queued").update(state="cancelled", ended_at=timezone.now() - timedelta(days=200))
    old_bake("tape9", days=450, delivered=False)  # still to be sent
    for kind, days, rows in (("grab", 90, 9), ("bake", 365, None), ("delivery", 30, 2), ("attempt", 60, 8)):
        RetentionRule.objects.filter(kind=kind).update(keep_days=days, keep_rows=rows)


def named() -> set[str]:
    """Every row that a rule may be about, as `--list` names it."""
    found = {f"grab {grab}" for grab in Grab.objects.all()} | {f"bake {bake}" for bake in Bake.objects.all()}
    return found | {f"delivery {row}" for row in Delivery.objects.all()}


def test_a_dry_run_says_exactly_what_then_goes(history: None, present: Any) -> None:
    rows, attempts, stored = named(), Attempt.objects.count(), present()
    promised = retention("--dry-run", "--list")
    assert (named(), Attempt.objects.count(), present()) == (rows, attempts, stored)

    sizes = {
        key: (Path(stores.store_of(key.split("/")[0]).path(key.split("/", 1)[1]))).stat().st_size for key in stored
    }
    assert retention("--list") == promised
    listed = {line.strip() for line in promised if line.startswith("  ")}
    gone_files, gone_rows = stored - present(), rows - named()
    assert {line.removeprefix("file ") for line in listed if line.startswith("file ")} == gone_files
    assert gone_rows and gone_rows >= {line for line in listed if line.startswith(("grab", "bake", "delivery"))}
    assert {row for row in gone_rows if not row.startswith("delivery")} <= listed

    totals = [line for line in promised if not line.startswith("  ")]
    assert sum(int(found) for found in re.findall(r"([\d,]+) files", " ".join(totals))) == len(gone_files)
    bytes_ = sum(sizes[key] for key in gone_files)
    assert sum(int(found) for found in re.findall(r"([\d,]+) bytes", " ".join(totals))) == bytes_
    along = [int(found) for found in re.findall(r"([\d,]+) attempts", " ".join(totals))]
    direct = sum(line.startswith("attempt ") for line in listed)
    assert sum(along) + direct == attempts - Attempt.objects.count()

    assert not Leftover.objects.exists()


def test_one_kind_alone_can_be_run(history: None) -> None:
    bakes = Bake.objects.count()
    lines = retention("--kind", "grab")
    assert [line.split(":")[0] for line in lines] == ["grab"]
    assert Bake.objects.count() == bakes


def test_what_a_killed_run_left_is_said_and_done_first(place: Path, present: Any) -> None:
    stores.keep_bytes(b"12345", "oven/posters/a.webp", "image/webp")
    Leftover.objects.create(store="art", key="oven/posters/a.webp")
    promised = retention("--dry-run")
    assert promised[0] == "left by a run that was interrupted: 1 files, 5 bytes"
    assert retention() == promised
    assert not present() and not Leftover.objects.exists()


@pytest.mark.parametrize(
    ("args", "says"), [(["--kind", "cake"], "cake is not one of bulk, grab"), (["--delete"], "belong to --orphans")]
)
def test_wrong_options_are_refused_with_a_sentence(args: list[str], says: str) -> None:
    with pytest.raises(CommandError, match=says):
        call_command("retention", *args)


def test_the_selection_reads_the_index_and_never_sorts(rule: Any) -> None:
    for name in ("grab", "attempt"):
        kind = subject(name)
        place = selection.Place(timezone.now(), 7)
        plans = [
            selection.rows(kind, place, place).values_list("pk")[:9].explain(),
            kind.model.objects.filter(ended_at__isnull=False)
            .order_by("-ended_at", "-pk")
            .values("pk")[9:10]
            .explain(),
        ]
        for plan in plans:
            assert "ended" in plan and "INDEX" in plan and "TEMP B-TREE" not in plan, plan


def test_more_rows_ask_no_more_questions_a_batch(old_grab: Any, rule: Any) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as found:
            for task in deletion.tasks(["grab"]):
                list(deletion.dry(task, {}))
        return len(found)

    rule("grab", days=90)
    old_grab()
    few = questions()
    for number in range(4):
        old_grab(piece=f"orbit~{number}")
    assert questions() == few


# --- by itself ------------------------------------------------------------------------------------------------------


def test_housekeeping_deletes_once_an_hour(old_grab: Any, rule: Any) -> None:
    rule("grab", days=90)
    old_grab()
    assert cleanup.run()["retention grab"] == 1
    old_grab(piece="waves")
    assert "retention grab" not in cleanup.run()
    RetentionRule.objects.update(passed_at=timezone.now() - timedelta(hours=1))
    assert cleanup.run()["retention grab"] == 1


def test_a_slice_goes_on_where_the_last_one_stopped(
    old_grab: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "BATCH", 2)
    limit = rule("grab", days=90)
    kept = old_grab(days=200, piece="still")
    FrozenPiece.objects.create(piece="still", reason="frozen", grab=kept)
    for number in range(4):
        old_grab(days=110 - number, piece=f"orbit~{number}")
    clock = iter(range(1000))
    monkeypatch.setattr(scheduler, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    lines: list[str] = []
    monkeypatch.setattr(stream, "log", lambda type_, text: lines.append(text))
    assert scheduler.run(budget_s=100)  # every look at the clock is a second: all of it
    RetentionRule.objects.update(passed_at=None)
    for number in range(4):
        old_grab(days=110 - number, piece=f"orbit~{number}")
    RetentionRule.objects.exclude(kind="grab").update(passed_at=timezone.now())
    assert scheduler.run(budget_s=3) == {"retention grab": 1}  # the first batch holds the protected one
    limit.refresh_from_db()
    assert limit.passed_at is None and limit.reached_at is not None
    assert scheduler.run(budget_s=100) == {"retention grab": 3}
    limit.refresh_from_db()
    assert limit.passed_at is not None and limit.reached_at is None
    assert Grab.objects.get() == kept
    assert lines == ["Past their time: 4 grab", "Past their time: 1 grab", "Past their time: 3 grab"]


# --- what no row names ----------------------------------------------------------------------------------------------


def stale(place: Path, key: str, days: float = 2) -> None:
    path = place / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"orphan")
    moment = (timezone.now() - timedelta(days=days)).timestamp()
    os.utime(path, (moment, moment))


def test_files_that_no_row_names_are_found_and_deleted_only_when_told_to(
    old_grab: Any, failed_grab: Any, place: Path, present: Any
) -> None:
    row = old_grab()
    failed_grab()
    for path in place.rglob("*.*"):
        stale(place, path.relative_to(place).as_posix())
    kept = present()
    FrozenPiece.objects.create(piece="still", reason="frozen", preview="oven/posters/shown.webp")
    stale(place, "art/oven/posters/shown.webp")
    stale(place, "art/oven/grabs/young.png", days=0.5)
    stale(place, "art/oven/grabs/lost.png")
    stale(place, "blobs/bundles/lost")
    lost = {"art/oven/grabs/lost.png", "blobs/bundles/lost"}
    promised = retention("--orphans", "--list")
    assert {line.removeprefix("  file ") for line in promised if line.startswith("  ")} == lost
    assert lost <= present()
    assert retention("--orphans", "--list", "--delete") == promised
    assert present() == kept | {"art/oven/posters/shown.webp", "art/oven/grabs/young.png"}
    assert retention("--orphans") == ["art, named by no row: nothing", "blobs, named by no row: nothing"]
    assert row.poster


def test_files_with_a_row_that_no_job_refers_to_go_by_themselves(old_grab: Any, place: Path, present: Any) -> None:
    """An attempt has stored them, and was lost before it could publish them."""
    old_grab(days=1)
    kept = present()
    days = {"young": 0.5, "yesterday": 1.5, "old": 9}
    for name in days:
        stale(place, f"made/{name}")
        stores.keep(place / "made" / name, f"oven/grabs/{name}.png", "image/png")
        moment = timezone.now() - timedelta(days=days[name])
        Artifact.objects.filter(key=f"oven/grabs/{name}.png").update(created_at=moment)
    FrozenPiece.objects.create(piece="still", reason="frozen", preview="oven/grabs/old.png")
    assert scheduler.run() == {"retention unpublished file": 1}
    assert present() - kept == {"art/oven/grabs/young.png", "art/oven/grabs/old.png"}
    FrozenPiece.objects.all().delete()
    assert "  file art/oven/grabs/old.png" in retention("--orphans", "--list", "--delete")
    assert present() - kept == {"art/oven/grabs/young.png"}
    assert Artifact.objects.filter(key__endswith="d.png").count() == 0


def test_one_store_and_one_place_can_be_looked_at(place: Path) -> None:
    stale(place, "art/oven/grabs/lost.png")
    stale(place, "art/other/lost.png")
    assert [file.key for file in orphans.find("art", "other/")] == ["other/lost.png"]
    assert retention("--orphans", "--store", "blobs") == ["blobs, named by no row: nothing"]
    assert list(orphans.find("art", "no/such/place")) == []


def test_in_a_bucket_only_ovens_own_places_are_looked_at(
    s3: Any, grab: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(orphans, "YOUNG", timedelta(0))
    for key in ("oven/grabs/deep/lost.png", "oven/posters/lost.webp", "elsewhere/lost.png"):
        stores.keep_bytes(b"lost", key, "image/png")
    file = tmp_path / "a"
    file.write_bytes(b"kept")
    stores.keep(file, "oven/grabs/kept.png", "image/png")
    assert {"oven/grabs/deep/lost.png", "oven/posters/lost.webp"} <= {file.key for file in orphans.find("art")}
    assert not {"elsewhere/lost.png", "oven/grabs/kept.png"} & {file.key for file in orphans.find("art")}
    retention("--orphans", "--store", "art", "--delete")
    assert list(orphans.find("art")) == []
    assert stores.size_of("elsewhere/lost.png") == 4 and stores.size_of("oven/grabs/lost.png") is None


def test_files_in_a_bucket_are_measured_and_dropped(s3: Any, db: None) -> None:
    made = [Leftover(store="art", key=f"oven/posters/{number}.webp") for number in range(5)]
    for file in made[1:]:
        stores.keep_bytes(b"poster", file.key, "image/webp")
    Leftover.objects.bulk_create(made)
    files.measure(made)
    assert [file.bytes for file in made] == [0, 6, 6, 6, 6]
    assert len(files.drop(made)) == 5
    assert not Leftover.objects.exists() and stores.size_of("oven/posters/1.webp") is None


# --- parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (2e6, "2.0 MB"), (3.25e12, "3,250.0 GB")],
)
def test_sizes_are_read_easily(count: float, text: str) -> None:
    assert report.readable(int(count)) == text


def test_artifacts_of_two_rows_are_counted_once(old_bake: Any, rule: Any) -> None:
    rule("bake", days=365)
    old_bake(days=500)
    old_bake(days=499)
    Bake.objects.update(state="failed")
    (line,) = [line for line in retention("--dry-run") if line.startswith("bake")]
    assert "2 rows" in line and "1 files" in line
    retention()
    assert not Artifact.objects.exists()
