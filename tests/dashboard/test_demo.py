"""What the demo refuses, and that it takes away nothing but its own."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from bakes.requests import callback_door, tape_door
from captures.engine.spec import Format
from captures.frozen import freeze, unfreeze
from captures.models import FrozenPiece, Grab
from demo import clearing, site
from demo.cast import CAST, scenes
from demo.management.commands import demo
from demo.show import Show, freeze_by_hand
from oven.jobs.states import Lane
from tests.e2e.stack import free_port
from tests.support import finished

pytestmark = pytest.mark.django_db


def said(*args: str) -> str:
    out = io.StringIO()
    call_command("demo", *args, stdout=out)
    return out.getvalue()


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "workers_of", lambda pool: 2)


@pytest.fixture
def origin(settings: Any) -> str:
    settings.OVEN_DEMO_ORIGIN = f"http://127.0.0.1:{free_port()}"
    return str(settings.OVEN_DEMO_ORIGIN)


# --- what it refuses ------------------------------------------------------------------------------------------------


def test_without_workers_it_says_how_to_start_oven(valkey: Any) -> None:
    with pytest.raises(CommandError, match="bin/oven"):
        said()
    assert not Grab.objects.exists()


def test_an_oven_with_jobs_of_its_own_is_left_alone_unless_one_is_sure(
    grab: Any, workers: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.Command, "_play", lambda self, options: self.stdout.write("played"))
    assert "played" in said()
    grab()
    with pytest.raises(CommandError, match="grabs of its own: say --yes"):
        said()
    assert "played" in said("--yes")
    settings.DEBUG = True
    assert "played" in said()


@pytest.mark.parametrize(
    ("args", "field"), [(["--minutes", "0"], "minutes"), (["--count", "-1"], "count"), (["--every", "0"], "every")]
)
def test_numbers_that_make_no_sense_are_refused(args: list[str], field: str) -> None:
    with pytest.raises(CommandError, match=f"--{field}: more than 0"):
        said(*args)


# --- what it asks for -----------------------------------------------------------------------------------------------


def test_the_cast_has_every_verb_format_and_lane_and_every_wish_is_a_good_one(valkey: Any, origin: str) -> None:
    show = Show()
    for scene, _ in zip(scenes(), range(len(CAST) * 2), strict=False):
        assert show.play(scene) is not None, scene
    assert {scene.fields["format"] for scene in CAST if scene.kind == "grab"} == {f.value for f in Format}
    assert {scene.lane for scene in CAST} == set(Lane)
    assert {kind for kind, rows in show.asked.items() if len(rows) > 2} == {"grab", "bake", "bundle"}
    assert set(Grab.objects.values_list("source", flat=True)) == {"demo"}
    assert show.states()["cancelled"] >= 1


def test_the_site_hands_out_tapes_and_takes_news_in_three_manners(origin: str) -> None:
    with site.DemoSite({"orbit": b"PK tape"}), httpx.Client(base_url=origin) as http:
        assert http.get("/tapes/orbit.zip").content == b"PK tape"
        assert b"Not a tape" in http.get("/tapes/broken.zip").content
        assert [http.get(path).status_code for path in ("/tapes/busy.zip", "/tapes/none.zip")] == [503, 404]
        told = [http.post(f"/told/{how}/a", json={}).status_code for how in ("taken", "never", "later", "later")]
        assert told == [200, 410, 503, 200]


def test_a_place_that_is_taken_or_no_place_at_all_is_said(origin: str, settings: Any) -> None:
    with site.DemoSite({}), pytest.raises(site.NoSite, match="cannot be opened"):
        site.DemoSite({})
    settings.OVEN_DEMO_ORIGIN = "https://oven.example"
    with pytest.raises(site.NoSite, match="not an address like"):
        site.DemoSite({})


def test_without_a_site_there_are_no_bakes(valkey: Any) -> None:
    show = Show(with_bakes=False)
    assert [scene for scene in CAST if scene.kind == "bake" and show.play(scene)] == []


@pytest.mark.parametrize(
    ("pieces", "demo_origin", "known"),
    [
        ("http://127.0.0.1:3003", "http://127.0.0.1:3999", True),
        ("https://pieces.example", "http://127.0.0.1:3999", False),
        ("http://127.0.0.1:3003", "https://elsewhere.example", False),
        ("http://127.0.0.1:3003", "", False),
    ],
)
def test_its_site_is_known_only_on_a_machine_that_has_the_pieces_too(
    settings: Any, pieces: str, demo_origin: str, known: bool
) -> None:
    settings.OVEN_PIECE_ORIGIN, settings.OVEN_DEMO_ORIGIN = pieces, demo_origin
    doors = (tape_door(), callback_door())
    assert all((demo_origin in door.origins) is (known and bool(demo_origin)) for door in doors)
    assert all("" not in door.origins for door in doors)


# --- what it takes away ---------------------------------------------------------------------------------------------


def listed(piece: str, grab: Grab, days_ago: float = 0) -> None:
    moment = timezone.now() - timedelta(days=days_ago)
    FrozenPiece.objects.create(piece=piece, reason="frozen", grab=grab, preview="a.webp", first_detected=moment)


def test_only_its_own_is_cleared_away(grab: Any, tmp_path: Path) -> None:
    mine, theirs = finished(grab(source="demo"), tmp_path), finished(grab(piece="waves"), tmp_path)
    listed("orbit", mine)
    listed("waves", theirs)
    listed("older", mine, days_ago=1)  # was on the list before the demo
    freeze_by_hand()
    freeze("by hand", "It never moves.")
    assert clearing.stop(1) == 0
    (tally,) = clearing.clear()
    assert (tally.rows, tally.files, tally.along["attempts"]) == (1, 1, 1)
    assert Grab.objects.get() == theirs
    assert set(FrozenPiece.objects.values_list("piece", flat=True)) == {"waves", "older", "by hand"}
    assert FrozenPiece.objects.get(piece="older").preview == ""
    assert clearing.clear() == []


def test_what_waits_is_cancelled_and_what_runs_without_a_worker_stays(grab: Any) -> None:
    grab(source="demo")
    Grab.objects.filter(pk=grab(source="demo", piece="waves").pk).update(state="running", attempt=1)
    assert "1 have not ended yet" in _cleared(0.1)
    assert Grab.objects.get().state == "cancelling"


def _cleared(limit_s: float) -> str:
    demo.CLEAR_WAIT_S, before = limit_s, demo.CLEAR_WAIT_S
    try:
        return said("--clear")
    finally:
        demo.CLEAR_WAIT_S = before


def test_a_piece_that_is_on_the_list_already_keeps_its_reason() -> None:
    freeze("never", "We know.")
    freeze_by_hand()
    assert FrozenPiece.objects.get().error == "We know."
    unfreeze("never")
