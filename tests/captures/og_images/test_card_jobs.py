from __future__ import annotations

import io
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from PIL import Image

from captures import control
from captures.engine.cards.spec import Layout
from captures.models import Grab
from captures.og_images import services
from captures.og_images.models import Card, key_of, today
from captures.og_images.services import ask, due, refresh
from oven.events import progress
from oven.jobs import lifecycle, worker
from oven.jobs.models import Attempt
from oven.jobs.states import Lane, State
from oven.storage import stores
from oven.storage.models import Artifact
from tests.captures.og_images.conftest import items
from tests.support import until

pytestmark = pytest.mark.django_db(transaction=True)  # cards are made by threads with connections of their own

Made = Callable[..., Card]


@pytest.fixture(autouse=True)
def _queue(valkey: Any) -> None:
    """Asking needs it."""


def warnings() -> list[str]:
    from oven.events import publisher

    publisher.flush()
    return [entry["msg"] for entry in progress.recent_log(100) if entry["type"] == "warn"]


def picture(card: Card) -> Image.Image:
    assert card.artifact is not None
    path = stores.local_path("art", card.artifact.key)
    assert path is not None
    return Image.open(io.BytesIO(path.read_bytes()))


def log_of(card: Card) -> str:
    return str(Attempt.objects.filter(kind="card", job_pk=card.pk).latest("number").log)


# --- asking ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_new_wish_is_a_row_and_the_same_one_joins_it(people: Any) -> None:
    first = ask(Layout.MOSAIC, user=people.staff)
    assert (first.card.state, first.card.day, first.card.requested_by) == (State.QUEUED, today(), people.staff)
    assert first.card.key == f"og/kidlisp/{today()}-mosaic.png"
    for anew in (False, True):
        again = ask(Layout.MOSAIC, anew=anew)
        assert (again.card, again.joined, again.cached) == (first.card, True, False)
    assert ask(Layout.FEATURED).card != first.card


def test_who_asks_in_the_same_moment_shares_one_row() -> None:
    together = threading.Barrier(4)
    found: list[services.Asked] = []

    def asking() -> None:
        together.wait()
        found.append(ask(Layout.MOSAIC))
        connection.close()

    threads = [threading.Thread(target=asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Card.objects.count() == 1
    assert sorted(asked.joined for asked in found) == [False, True, True, True]


@pytest.mark.django_db
def test_keys_are_the_contracts() -> None:
    assert key_of(Layout.CODE_SPLIT, today()) == f"og/kidlisp/{today()}-code-split.png"
    assert key_of(Layout.BACKDROP, today()) == f"backdrop/kidlisp/{today()}.webp"
    assert key_of(Layout.NOTEPAT, today()) == "og/notepat/notepat-og.png"


# --- making ---------------------------------------------------------------------------------------------------------


def test_a_mosaic_captures_sixteen_pieces_and_lies_under_its_key(made: Made, site: Any) -> None:
    card = made(Layout.MOSAIC)
    assert (card.state, card.error_code) == (State.COMPLETE, "")
    assert card.pieces == [f"p{index}" for index in range(16)]
    assert card.featured is None
    assert card.artifact is not None and card.artifact.key == f"og/kidlisp/{today()}-mosaic.png"
    assert (picture(card).format, picture(card).size) == ("PNG", (1200, 630))
    grabs = Grab.objects.all()
    assert {(grab.source, grab.lane, grab.out_width, grab.out_height) for grab in grabs} == {
        ("card", Lane.BATCH, 150, 79)
    }
    assert len(grabs) == 16
    assert set(card.spans) == {"queue", "listing", "capture", "compose", "store"}


@pytest.mark.parametrize("layout", [Layout.FEATURED, Layout.FILMSTRIP, Layout.CODE_SPLIT])
def test_a_card_of_one_piece_says_which(made: Made, layout: Layout) -> None:
    card = made(layout)
    assert card.state == State.COMPLETE
    assert card.featured is not None and card.pieces == [card.featured["code"]]
    assert set(card.featured) == {"code", "hits", "handle"}


def test_notepat_needs_no_list_and_no_capture(made: Made, site: Any) -> None:
    card = made(Layout.NOTEPAT)
    assert (card.state, card.pieces, Grab.objects.count(), site.fetched) == (State.COMPLETE, [], 0, [])


def test_the_backdrop_is_its_capture(made: Made, site: Any, settings: Any) -> None:
    settings.OVEN_BACKDROP_HANDLE = "@ada"
    card = made(Layout.BACKDROP)
    [grab] = Grab.objects.all()
    assert (grab.source, grab.format) == ("backdrop", "webp")
    assert card.artifact is not None and grab.artifact is not None
    assert card.artifact.sha256 == grab.artifact.sha256
    assert (card.artifact.key, picture(card).size) == (f"backdrop/kidlisp/{today()}.webp", (1024, 1024))


def test_progress_counts_the_pieces(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int, str]] = []
    monkeypatch.setattr(
        progress, "send", lambda job, stage, percent, detail, **live: seen.append((stage, percent, detail))
    )
    made(Layout.MOSAIC)
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages == ["listing", "capturing", "composing", "uploading"]
    assert ("capturing", 85, "16 of 16 pieces") in seen
    assert [percent for _, percent, _ in seen] == sorted(percent for _, percent, _ in seen)


def test_made_again_it_uses_the_captures_that_are_there(made: Made) -> None:
    first, second = made(Layout.FEATURED), made(Layout.FEATURED)
    assert first != second
    assert Grab.objects.count() == 1
    assert made(Layout.FEATURED, recapture=True).state == State.COMPLETE
    assert Grab.objects.count() == 2


def test_a_piece_that_fails_is_left_out_and_noted(made: Made) -> None:
    card = made(Layout.MOSAIC, "$p3", "$p5")
    assert card.state == State.COMPLETE
    assert card.pieces == [f"p{index}" for index in range(16) if index not in (3, 5)]
    assert "$p3 is left out: The page never drew anything." in log_of(card)


def test_the_next_piece_stands_in_for_one_that_fails(made: Made) -> None:
    index = today().timetuple().tm_yday % 10
    card = made(Layout.FEATURED, f"$p{index}")
    assert card.pieces == [f"p{(index + 1) % 10}"]


def test_when_too_many_pieces_fail_the_card_does(made: Made) -> None:
    card = made(Layout.MOSAIC, *[f"$p{index}" for index in range(13)])
    assert (card.state, card.error_code, card.attempt) == (State.FAILED, "pieces_failed", 3)


def test_captures_that_never_come_are_not_waited_for(site: Any, made: Made, capture: Any, settings: Any) -> None:
    settings.OVEN_CARD_WAIT_S = 0.3
    settings.OVEN_MAX_ATTEMPTS = 1
    card = ask(Layout.FEATURED).card
    worker.perform("card", card.pk)
    until(lambda: not Card.objects.get(pk=card.pk).active)
    card.refresh_from_db()
    assert (card.state, card.error_code) == (State.FAILED, "pieces_late")


def test_a_full_queue_is_said_and_leaves_nothing_waiting(site: Any, settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING = 3
    settings.OVEN_MAX_ATTEMPTS = 1
    card = ask(Layout.MOSAIC).card
    worker.perform("card", card.pk)
    until(lambda: not Card.objects.get(pk=card.pk).active)
    assert Card.objects.get(pk=card.pk).error_code == "queue_full"
    assert set(Grab.objects.values_list("state", flat=True)) == {State.CANCELLED}


def test_cancelled_it_stops_and_takes_its_waiting_captures_along(site: Any) -> None:
    card = ask(Layout.MOSAIC).card
    worker.perform("card", card.pk)
    until(lambda: Grab.objects.count() == 16)
    card.refresh_from_db()
    lifecycle.cancel(card)
    until(lambda: Card.objects.get(pk=card.pk).state == State.CANCELLED)
    until(lambda: set(Grab.objects.values_list("state", flat=True)) == {State.CANCELLED})


def test_captures_that_staff_have_cancelled_are_not_asked_for_again(site: Any) -> None:
    card = ask(Layout.MOSAIC).card
    worker.perform("card", card.pk)
    until(lambda: Grab.objects.count() == 16)
    control.clear()
    until(lambda: Card.objects.get(pk=card.pk).state == State.FAILED)
    assert Card.objects.get(pk=card.pk).error_code == "pieces_cancelled"
    assert Grab.objects.count() == 16


def test_a_worker_that_waits_for_captures_takes_other_work_meanwhile(site: Any) -> None:
    cards = [ask(layout).card for layout in (Layout.MOSAIC, Layout.FEATURED)]
    for card in cards:
        worker.perform("card", card.pk)  # returns although no capture has come
    notepat = ask(Layout.NOTEPAT).card
    worker.perform("card", notepat.pk)
    until(lambda: Card.objects.get(pk=notepat.pk).state == State.COMPLETE)
    for card in cards:
        lifecycle.cancel(Card.objects.get(pk=card.pk))
    until(lambda: not Card.objects.filter(state__in=["running", "cancelling"]).exists())


# --- a list that is no good -----------------------------------------------------------------------------------------

BAD = {
    "empty": (b'{"media": {"kidlisp": []}}', "list_empty"),
    "broken": (b"<html>sorry", "list_broken"),
    "hostile": (b'{"media": {"kidlisp": [{"code": "<script>"}, {"code": "../x"}]}}', "list_empty"),
    "failing": (lambda handler: handler.answer(500), "list_http_status"),
    "redirecting": (lambda handler: handler.answer(302, Location="http://10.0.0.1/"), "list_unknown_origin"),
}


@pytest.mark.parametrize(("answer", "code"), BAD.values(), ids=BAD)
def test_yesterdays_picture_stays_an_alert_is_raised_and_nothing_runs(
    planted: Made, made: Made, site: Any, answer: Any, code: str
) -> None:
    good = planted(Layout.FEATURED)
    yesterday = today() - timedelta(days=1)
    Card.objects.update(day=yesterday, key=key_of(Layout.FEATURED, yesterday))
    site.answers_list(answer)
    card = made(Layout.FEATURED)
    assert (card.state, card.error_code) == (State.FAILED, code)
    assert card.error_message.endswith(".")
    assert Card.objects.good(Layout.FEATURED).first() == good
    assert stores.local_path("art", good.artifact.key) is not None  # type: ignore[union-attr]
    assert Grab.objects.count() == 0
    assert any(f"The one of {yesterday} stays." in line for line in warnings())


def test_without_any_picture_the_alert_says_so(made: Made, site: Any) -> None:
    site.lists([])
    made(Layout.FEATURED)
    assert any("There is none yet." in line for line in warnings())


@pytest.mark.exhaustive("the gate has a mosaic of sixteen")
def test_ten_thousand_pieces_are_sixteen_captures(made: Made, site: Any) -> None:
    site.lists(items(10_000))
    assert made(Layout.MOSAIC).state == State.COMPLETE
    assert Grab.objects.count() == 16


def test_after_a_failure_the_site_is_left_in_peace_for_a_while(made: Made, site: Any) -> None:
    site.lists([])
    failed = made(Layout.FEATURED)
    asked = len(site.fetched)
    assert ask(Layout.FEATURED).card == failed
    assert len(site.fetched) == asked
    assert ask(Layout.FEATURED, anew=True).card != failed  # staff do not wait


def test_after_that_while_it_is_tried_again(made: Made, site: Any) -> None:
    site.lists([])
    failed = made(Layout.FEATURED)
    Card.objects.update(ended_at=timezone.now() - timedelta(minutes=2))
    assert ask(Layout.FEATURED).card != failed


# --- keeping them new -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_finished_card_answers_for_its_day(planted: Made) -> None:
    card = planted(Layout.FEATURED)
    assert (ask(Layout.FEATURED).card, ask(Layout.FEATURED).cached) == (card, True)
    Card.objects.update(day=today() - timedelta(days=1))
    assert not ask(Layout.FEATURED).cached


@pytest.mark.django_db
def test_notepat_answers_for_a_week(planted: Made) -> None:
    planted(Layout.NOTEPAT)
    Card.objects.update(day=today() - timedelta(days=5), ended_at=timezone.now() - timedelta(days=6))
    assert ask(Layout.NOTEPAT).cached
    Card.objects.update(ended_at=timezone.now() - timedelta(days=8))
    assert not ask(Layout.NOTEPAT).cached


def test_the_newest_picture_never_expires_and_older_ones_do(made: Made) -> None:
    first = made(Layout.FEATURED)
    yesterday = today() - timedelta(days=1)
    Artifact.objects.filter(pk=first.artifact_id).update(key=key_of(Layout.FEATURED, yesterday))
    Card.objects.filter(pk=first.pk).update(day=yesterday, key=key_of(Layout.FEATURED, yesterday))
    second = made(Layout.FEATURED)
    first.refresh_from_db()
    assert first.artifact is not None and first.artifact.expires_at is not None
    assert timedelta(days=29) < first.artifact.expires_at - timezone.now() <= timedelta(days=30)
    assert second.artifact is not None and second.artifact.expires_at is None


def test_a_card_made_again_has_an_address_of_its_own(made: Made, site: Any) -> None:
    first = made(Layout.FEATURED).url
    site.lists(items(20, start=5))
    second = made(Layout.FEATURED).url
    assert first.split("?")[0] == second.split("?")[0]
    assert first != second


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "hours", "days", "wanted"),
    [
        (State.COMPLETE, 1, 0, False),
        (State.COMPLETE, 7, 0, True),
        (State.COMPLETE, 1, 1, True),  # a new day has begun
        (State.CANCELLED, 1, 0, False),
        (State.FAILED, 0.1, 0, False),
        (State.FAILED, 0.2, 1, True),
    ],
)
def test_the_scheduler_knows_when_a_card_is_due(state: State, hours: float, days: int, wanted: bool) -> None:
    assert due(Layout.MOSAIC)
    ask(Layout.MOSAIC)
    assert not due(Layout.MOSAIC)  # it is being made
    ended = timezone.now() - timedelta(hours=hours)
    Card.objects.update(state=state, ended_at=ended, day=today() - timedelta(days=days))
    assert due(Layout.MOSAIC) is wanted


@pytest.mark.django_db
def test_the_regular_cards_are_made_some_time_after_the_start(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    now = [100.0]
    monkeypatch.setattr(services, "_looked_first", None)
    monkeypatch.setattr(services.time, "monotonic", lambda: now[0])
    for at, cards in ((100.0, 0), (109.0, 0), (110.0, 2), (120.0, 2)):
        now[0] = at
        services.make_due_cards()
        assert Card.objects.count() == cards
    assert set(Card.objects.values_list("layout", "source")) == {("mosaic", "scheduler"), ("featured", "scheduler")}


@pytest.mark.django_db
def test_the_scheduler_can_be_told_to_make_none(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.OVEN_CARD_EVERY_S = 0.0
    monkeypatch.setattr(services, "_looked_first", -1000.0)
    services.make_due_cards()
    assert Card.objects.count() == 0


def test_refreshing_makes_a_new_row_with_new_captures(made: Made, people: Any) -> None:
    card = made(Layout.FEATURED)
    again = refresh(card, user=people.staff).card
    assert again != card
    assert (again.spec, again.source, again.requested_by) == ({"recapture": True}, "again", people.staff)
