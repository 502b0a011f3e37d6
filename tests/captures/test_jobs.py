from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from captures import services
from captures.engine.spec import CaptureResult, Format, Mode, Ready
from captures.frozen import freeze, note_result, unfreeze
from captures.models import FrozenPiece, Grab, PieceName
from captures.serializers import frozen_list
from captures.services import QueueFull, ask, ask_again, delete_expired
from oven.jobs import lifecycle
from oven.jobs.states import Lane, State
from oven.storage import stores
from oven.storage.models import Artifact
from tests.support import finished

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _queue(valkey: Any) -> None:
    """Asking needs it."""


@pytest.fixture
def scratch(settings: Any) -> Iterator[Path]:
    place = Path(settings.OVEN_DATA) / "scratch"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


# --- asking ---------------------------------------------------------------------------------------------------------


def test_a_new_wish_is_a_new_row(wish: Any, people: Any) -> None:
    asked = ask(wish(density=2), source="manual", keep_id="k7", user=people.staff)
    grab = asked.grab
    assert (asked.cached, asked.joined) == (False, False)
    assert (grab.state, grab.lane, grab.source, grab.keep_id) == (State.QUEUED, Lane.NOW, "manual", "k7")
    assert (grab.piece, grab.out_width, grab.out_height, grab.requested_by) == ("orbit", 128, 128, people.staff)


def test_the_same_wish_joins_what_is_under_way(wish: Any) -> None:
    first = ask(wish()).grab
    for _ in range(2):
        again = ask(wish())
        assert (again.grab, again.joined, again.cached) == (first, True, False)
    lifecycle.claim("grab", first.pk, "a:1:1")
    assert ask(wish(), skip_cache=True).joined


def test_another_wish_is_another_row(wish: Any) -> None:
    assert ask(wish()).grab != ask(wish(density=2)).grab


def test_a_finished_capture_is_cached(wish: Any, scratch: Path) -> None:
    grab = finished(ask(wish()).grab, scratch)
    again = ask(wish())
    assert (again.grab, again.cached) == (grab, True)


def test_an_expired_capture_is_not_served(wish: Any, scratch: Path) -> None:
    grab = finished(ask(wish()).grab, scratch, expires_at=timezone.now() - timedelta(seconds=1))
    assert ask(wish()).grab != grab


def test_a_capture_whose_file_is_gone_is_not_served(wish: Any, scratch: Path) -> None:
    grab = finished(ask(wish()).grab, scratch)
    Artifact.objects.all().delete()
    assert ask(wish()).grab != grab


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_an_earlier_failure_does_not_stand_in_the_way(wish: Any, state: State) -> None:
    first = ask(wish()).grab
    Grab.objects.update(state=state)
    again = ask(wish())
    assert again.grab != first
    assert not (again.cached or again.joined)


def test_skipping_the_cache_captures_anew_and_the_newest_wins(wish: Any, scratch: Path) -> None:
    old = finished(ask(wish()).grab, scratch)
    new = ask(wish(), skip_cache=True).grab
    assert new != old
    assert ask(wish()).grab == old  # until the new one is there
    finished(new, scratch)
    assert ask(wish()).grab == new


def test_asking_again_makes_a_row_of_the_same_wish(wish: Any, people: Any) -> None:
    old = lifecycle.cancel(ask(wish(density=2, fps=5)).grab)
    new = ask_again(old, user=people.staff).grab
    assert (new.requeued_from, new.capture_key, new.spec, new.lane) == (old, old.capture_key, old.spec, Lane.BATCH)


def test_a_mint_overtakes(wish: Any) -> None:
    assert ask(wish(), source="keep").grab.lane == Lane.KEEP


def test_the_queue_has_a_ceiling(wish: Any, settings: Any, scratch: Path) -> None:
    settings.OVEN_QUEUE_CEILING = 2
    ready = finished(ask(wish(piece="waves")).grab, scratch)
    first, _ = ask(wish(piece="orbit")).grab, ask(wish(piece="prism"))
    with pytest.raises(QueueFull):
        ask(wish(piece="tiles"))
    assert ask(wish(piece="orbit")).grab == first  # what is there costs nothing
    assert ask(wish(piece="waves")).grab == ready
    lifecycle.claim("grab", first.pk, "a:1:1")
    assert ask(wish(piece="tiles")).grab.state == State.QUEUED


@pytest.mark.django_db(transaction=True)
def test_who_asks_in_the_same_moment_shares_one_row(wish: Any) -> None:
    together = threading.Barrier(4)
    found: list[services.Asked] = []

    def asking() -> None:
        together.wait()
        found.append(ask(wish()))
        connection.close()

    threads = [threading.Thread(target=asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Grab.objects.count() == 1
    assert sorted(asked.joined for asked in found) == [False, True, True, True]


def test_the_loser_of_a_race_joins_the_winner(wish: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The winner's row appears between the loser's look and its insert."""
    winner: list[Grab] = []

    def active_with(key: str) -> None:
        monkeypatch.undo()
        winner.append(ask(wish()).grab)

    monkeypatch.setattr(Grab.objects, "active_with", active_with)
    asked = ask(wish())
    assert (asked.grab, asked.joined) == (winner[0], True)
    assert Grab.objects.count() == 1


def test_a_capture_that_ends_between_the_two_looks_is_not_made_again(
    wish: Any, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not in the cache yet at the first look, and not active any more at the second."""
    first = ask(wish()).grab

    def active_with(key: str) -> None:
        monkeypatch.undo()
        finished(first, scratch)

    monkeypatch.setattr(Grab.objects, "active_with", active_with)
    asked = ask(wish())
    assert (asked.grab, asked.cached) == (first, True)
    assert Grab.objects.count() == 1


# --- the frozen list ------------------------------------------------------------------------------------------------


def result(reason: str, format_: Format = Format.WEBP, color: str = "") -> CaptureResult:
    return CaptureResult(
        path=Path("unused"),
        format=format_,
        width=64,
        height=64,
        frames=1,
        size=1,
        mode=Mode.VIRTUAL,
        ready=Ready.SIGNAL,
        ready_ms=1,
        poster=b"",
        still_reason=reason,
        flat_color=color,
    )


def test_a_piece_that_stands_still_is_listed_and_counted(wish: Any, scratch: Path) -> None:
    grab = finished(ask(wish()).grab, scratch)
    note_result(grab, result("frozen"))
    note_result(grab, result("flat", color="#112233"))
    entry = FrozenPiece.objects.get()
    assert (entry.piece, entry.attempts, entry.reason) == ("orbit", 2, "flat")
    assert "UNIFORM_COLOR:#112233" in entry.error
    assert entry.preview == grab.artifact.key
    assert entry.last_attempt > entry.first_detected


def test_a_film_is_listed_with_its_poster(wish: Any, scratch: Path) -> None:
    grab = finished(ask(wish(format="mp4")).grab, scratch, poster="oven/posters/a.webp")
    note_result(grab, result("frozen", Format.MP4))
    assert FrozenPiece.objects.get().preview == "oven/posters/a.webp"


def test_staff_freeze_and_unfreeze(people: Any) -> None:
    freeze("still", "", people.staff)
    freeze("still", "stands still")
    assert [(e.piece, e.reason, e.error) for e in FrozenPiece.objects.all()] == [("still", "staff", "stands still")]
    assert unfreeze("still") is True
    assert unfreeze("still") is False
    assert not FrozenPiece.objects.exists()


def test_the_list_is_shown_newest_first_and_has_an_end() -> None:
    for number in range(105):
        freeze(f"piece{number}", "stands still")
    shown = frozen_list()
    assert len(shown) == 100
    assert shown[0]["piece"] == "piece104"


# --- housekeeping ---------------------------------------------------------------------------------------------------


def test_expired_files_are_deleted_and_their_rows_stay(wish: Any, scratch: Path) -> None:
    grab = finished(ask(wish()).grab, scratch)
    key = grab.artifact.key
    assert delete_expired()["expired"] == 0
    Artifact.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert delete_expired()["expired"] == 1
    assert stores.local_path("art", key) is None
    grab.refresh_from_db()
    assert (grab.state, grab.artifact) == (State.COMPLETE, None)


def test_the_picture_of_a_listed_piece_is_kept(wish: Any, scratch: Path) -> None:
    grab = finished(ask(wish()).grab, scratch)
    note_result(grab, result("frozen"))
    Artifact.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert delete_expired()["expired"] == 0
    unfreeze("orbit")
    assert delete_expired()["expired"] == 1


def test_every_name_that_was_asked_for_is_known_once(grab: Any) -> None:
    for piece in ("orbit", "roz", "orbit", "Orbital"):
        grab(piece=piece, skip_cache=True)
    assert sorted(PieceName.objects.values_list("name", flat=True)) == ["Orbital", "orbit", "roz"]
    assert services.known_pieces("OR") == ["Orbital", "orbit"]
    assert services.known_pieces("", limit=1) == ["Orbital"]
    assert services.known_pieces("rb") == []
    assert sorted(services.pieces_with("RB", 5)) == ["Orbital", "orbit"]


def test_the_migration_learns_the_names_of_earlier_grabs(grab: Any) -> None:
    from importlib import import_module

    from django.apps import apps

    grab(piece="orbit")
    grab(piece="roz")
    PieceName.objects.filter(name="roz").delete()
    import_module("captures.migrations.0009_piece_names").fill(apps, None)
    assert sorted(PieceName.objects.values_list("name", flat=True)) == ["orbit", "roz"]
