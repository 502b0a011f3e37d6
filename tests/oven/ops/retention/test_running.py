"""What goes and what stays, and that nothing is ever half gone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from bakes.models import Bake, Delivery
from bundles.models import Bundle, CoreBuild
from captures.models import FrozenPiece, Grab
from captures.services import ask_again
from oven.jobs import lifecycle, registry
from oven.jobs.models import Attempt
from oven.ops.retention import deletion, files
from oven.ops.retention.models import Leftover, RetentionRule
from oven.ops.retention.targets import subjects
from oven.storage import stores
from oven.storage.models import Artifact
from tests.bundles.conftest import core
from tests.oven.ops.retention.conftest import age, artifact_keys, retention

__all__ = ["core"]
pytestmark = pytest.mark.django_db


def run() -> None:
    for task in deletion.tasks():
        for _ in deletion.wet(task):
            pass


# --- the rules ------------------------------------------------------------------------------------------------------


def test_every_kind_has_a_rule_and_so_have_the_attempts() -> None:
    names = {kind.name for kind in registry.kinds()} | {"attempt"}
    assert set(RetentionRule.objects.values_list("kind", flat=True)) == names
    assert len(subjects()) == len(names)


def test_a_kind_that_comes_later_gets_its_rule_and_no_rule_is_changed_by_that() -> None:
    from oven.ops.retention.models import ensure_rules

    RetentionRule.objects.filter(kind="grab").update(keep_days=7)
    RetentionRule.objects.filter(kind="bake").delete()
    ensure_rules()
    assert RetentionRule.objects.get(kind="bake").keep_days == 365
    assert RetentionRule.objects.get(kind="grab").keep_days == 7


# --- what goes ------------------------------------------------------------------------------------------------------


def test_an_old_grab_goes_with_its_attempts_its_file_and_its_poster(old_grab: Any, present: Any, rule: Any) -> None:
    rule("grab", days=90)
    old_grab(days=91)
    young = old_grab(days=89)
    run()
    assert list(Grab.objects.all()) == [young]
    assert Attempt.objects.get().job_id == young.public_id
    assert present() == {f"art/oven/grabs/{young}.webp", f"art/{young.poster}"}
    assert artifact_keys() == {young.artifact.key}
    assert not Leftover.objects.exists()


def test_the_last_frame_of_a_failed_attempt_goes_too(failed_grab: Any, present: Any, rule: Any) -> None:
    rule("grab", days=90)
    failed_grab()
    assert present()
    run()
    assert not present() and not Attempt.objects.exists()


def test_attempts_may_go_before_their_jobs(failed_grab: Any, present: Any, rule: Any) -> None:
    rule("attempt", days=30)
    row = failed_grab(days=31)
    run()
    assert Grab.objects.get() == row
    assert not Attempt.objects.exists() and not present()


def test_the_newest_rows_stay_however_old_they_are(old_grab: Any, rule: Any) -> None:
    rule("grab", rows=2)
    rows = [old_grab(days=100 - number, piece=f"orbit~{number}") for number in range(5)]
    run()
    assert set(Grab.objects.all()) == set(rows[-2:])


def test_rows_that_ended_at_the_same_moment_are_told_apart(old_grab: Any, rule: Any) -> None:
    rule("grab", rows=2)
    rows = [old_grab(piece=f"orbit~{number}") for number in range(4)]
    Grab.objects.update(ended_at=rows[0].ended_at)
    run()
    assert set(Grab.objects.all()) == set(rows[-2:])


def test_without_limits_nothing_goes(old_grab: Any, rule: Any) -> None:
    rule("grab")
    old_grab(days=10_000)
    run()
    assert Grab.objects.count() == 1


def test_an_old_bake_goes_with_its_messages_and_their_attempts(old_bake: Any, rule: Any) -> None:
    rule("bake", days=365)
    older, newer = old_bake(days=500), old_bake(days=400)
    run()
    assert list(Bake.objects.all()) == [newer]
    assert {message.bake for message in Delivery.objects.all()} == {newer}
    assert {attempt.job_pk for attempt in Attempt.objects.filter(kind="bake")} == {newer.pk}
    assert older.deliveries.count() == 0


def test_a_row_goes_once_what_referred_to_it_has_gone(old_grab: Any, rule: Any) -> None:
    rule("grab", days=90)
    first = old_grab(days=100)
    again = ask_again(first, skip_cache=True).grab
    lifecycle.cancel(again)
    age(again, 95)
    run()
    assert list(Grab.objects.all()) == [first]
    run()
    assert not Grab.objects.exists()


# --- what stays -----------------------------------------------------------------------------------------------------


def test_active_rows_stay_whatever_their_times_say(grab: Any, rule: Any) -> None:
    rule("grab", days=1)
    waiting = grab()
    Grab.objects.update(ended_at=timezone.now() - timedelta(days=9))  # no code does that
    run()
    assert Grab.objects.get() == waiting


def test_what_answers_repeats_stays(old_grab: Any, rule: Any) -> None:
    rule("grab", rows=1)
    older, cached = old_grab(), old_grab()
    key = older.artifact.key
    Grab.objects.update(expires_at=timezone.now() + timedelta(days=1))
    newest = old_grab(piece="waves", days=1)
    run()
    assert set(Grab.objects.all()) == {cached, newest}
    assert artifact_keys() == {cached.artifact.key, newest.artifact.key} and key not in artifact_keys()


def test_what_the_frozen_list_shows_stays(old_grab: Any, present: Any, rule: Any) -> None:
    rule("grab", days=90)
    row, other = old_grab(), old_grab(piece="still~2")
    key = other.artifact.key
    FrozenPiece.objects.create(piece="still", reason="frozen", grab=row, preview=row.poster)
    FrozenPiece.objects.create(piece="still~2", reason="frozen", preview=other.poster)
    run()
    assert Grab.objects.get() == row
    assert f"art/{row.poster}" in present() and f"art/{other.poster}" in present()
    assert artifact_keys() == {row.artifact.key} and key != row.artifact.key


def test_what_was_asked_for_again_stays_while_the_new_row_does(old_grab: Any, rule: Any) -> None:
    rule("grab", days=90)
    row = old_grab()
    again = ask_again(row, skip_cache=True).grab
    run()
    assert set(Grab.objects.all()) == {row, again}


def test_a_picture_that_a_bundle_shows_stays_until_the_bundle_goes(
    old_grab: Any, present: Any, rule: Any, valkey: Any
) -> None:
    rule("grab", days=90)
    row = old_grab()
    bundle = Bundle.objects.create(public_id="bundle-1", piece="orbit", capture_key="k", poster=row.poster)
    run()
    assert not Grab.objects.exists()
    assert present() == {f"art/{row.poster}"}
    rule("bundle", days=90)
    lifecycle.cancel(bundle)
    age(bundle, 91)
    run()
    assert not Bundle.objects.exists() and not present()


def test_the_newest_good_bake_of_a_tape_stays_and_so_does_its_video(old_bake: Any, present: Any, rule: Any) -> None:
    rule("bake", days=365)
    old_bake(days=500)
    newest = old_bake(days=499)  # the same key: one file, one row
    run()
    assert Bake.objects.get() == newest
    assert present() == {"blobs/tapes/abc123.mp4"}


def test_nothing_of_a_tape_goes_while_it_is_baked_anew(old_bake: Any, bake: Any, rule: Any) -> None:
    rule("bake", days=365)
    old_bake(days=500)
    old_bake(days=499)
    bake("abc123")
    run()
    assert Bake.objects.count() == 3


def test_a_bake_stays_while_its_message_is_under_way(old_bake: Any, rule: Any) -> None:
    rule("bake", days=365)
    waiting = old_bake(days=500, delivered=False)
    newest = old_bake(days=400)
    Delivery.objects.filter(bake=waiting).update(state="retrying")
    run()
    assert set(Bake.objects.all()) == {waiting, newest}


def test_the_last_message_that_the_site_has_not_taken_stays(old_bake: Any, rule: Any) -> None:
    rule("delivery", days=30)
    lost, taken = old_bake("lost", delivered=False), old_bake("taken")
    message: Any = lifecycle.claim("delivery", lost.deliveries.get().pk, "test:1:1")
    age(lifecycle.fail(message, "gone", "No.", retry=False), 400)
    run()
    assert Delivery.objects.get().bake == lost
    assert set(Bake.objects.all()) == {lost, taken}


def test_the_core_in_service_and_the_last_tried_stay_and_stills_go_with_the_others(
    core: Any, place: Path, present: Any, rule: Any
) -> None:
    rule("core", days=30)
    rows = [core(tree="0"), core(tree="1"), core(tree="2", error="It does not run.")]
    for row in rows:
        CoreBuild.objects.filter(pk=row.pk).update(still=f"oven/cores/{row}.webp")
        stores.keep_bytes(b"still", f"oven/cores/{row}.webp", "image/webp")
        age(row, 40)
    run()
    assert set(CoreBuild.objects.all()) == set(rows[1:])
    assert present() == {f"art/oven/cores/{row}.webp" for row in rows[1:]}


def test_attempts_of_a_job_that_waits_to_retry_stay(grab: Any, rule: Any) -> None:
    rule("attempt", days=1)
    row: Any = lifecycle.claim("grab", grab().pk, "test:1:1")
    lifecycle.fail(row, "timeout", "Slow.", retry=True)
    Attempt.objects.update(ended_at=timezone.now() - timedelta(days=9))
    run()
    assert Attempt.objects.count() == 1


# --- killed in between ----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """As by a signal: nothing catches it."""


@pytest.mark.parametrize("at", ["the first file", "the second file", "the marks"])
def test_killed_while_files_are_deleted_the_next_run_ends_it(
    old_grab: Any, present: Any, rule: Any, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    rule("grab", days=90)
    row = old_grab()
    calls = []

    def drop_key(key: str, store: str = "art") -> None:
        calls.append(key)
        if len(calls) == {"the first file": 1, "the second file": 2}.get(at):
            raise Killed
        stores.store_of(store).delete(key)
        if at == "the marks" and len(calls) == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(stores, "drop_key", drop_key)
        with pytest.raises(Killed):
            run()
    named = {f"{file.store}/{file.key}" for file in Leftover.objects.all()}
    assert not Grab.objects.exists() and not Artifact.objects.exists()  # no row without its bytes
    assert present() <= named == {f"art/oven/grabs/{row}.webp", f"art/{row.poster}"}  # no bytes without a row
    deletion.resume()
    assert not present() and not Leftover.objects.exists()


def test_killed_before_the_rows_are_gone_everything_is_still_there(
    old_grab: Any, present: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule("grab", days=90)
    row = old_grab()
    before = present()

    def write(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Leftover.objects, "bulk_create", write)
        with pytest.raises(Killed):
            run()
    assert Grab.objects.get() == row and Grab.objects.get().artifact
    assert Attempt.objects.exists() and not Leftover.objects.exists()
    assert present() == before


def test_a_store_that_refuses_keeps_the_mark_for_the_next_time(
    old_grab: Any, present: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule("grab", days=90)
    old_grab()

    def refuse(*_: Any) -> None:
        raise stores.StoreError("out of reach")

    with monkeypatch.context() as patched:
        patched.setattr(stores, "drop_key", refuse)
        run()
    assert not Grab.objects.exists()
    assert len(present()) == Leftover.objects.count() == 2
    assert len(deletion.resume()) == 2
    assert not present()


def test_a_file_that_was_written_anew_in_the_meantime_stays(place: Path, present: Any) -> None:
    Leftover.objects.create(store="blobs", key="tapes/a.mp4")
    Leftover.objects.create(store="art", key="oven/grabs/b.png")
    stores.keep_bytes(b"new", "tapes/a.mp4", "video/mp4", store="blobs")
    path = place / "b"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"kept")
    Leftover.objects.update(made_at=timezone.now() + timedelta(days=1))
    Leftover.objects.filter(store="blobs").update(made_at=timezone.now() - timedelta(days=1))
    stores.keep(path, "oven/grabs/b.png", "image/png")
    assert deletion.resume() == []
    assert present() >= {"blobs/tapes/a.mp4", "art/oven/grabs/b.png"}
    assert not Leftover.objects.exists()


def test_a_file_that_is_not_there_is_no_obstacle(old_grab: Any, present: Any, rule: Any, place: Path) -> None:
    rule("grab", days=90)
    row = old_grab()
    (place / "art" / row.poster).unlink()
    assert "1 files" in next(line for line in retention("--dry-run") if line.startswith("grab"))
    run()
    assert not Grab.objects.exists() and not Leftover.objects.exists() and not present()
    assert files.drop([]) == []
