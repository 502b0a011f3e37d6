from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from captures.engine.cards.spec import Layout
from captures.models import Grab
from captures.og_images.models import Card, key_of, today
from oven.jobs import lifecycle
from tests.captures.test_admin import act
from tests.support import request

pytestmark = pytest.mark.django_db
BY_THREADS = pytest.mark.django_db(transaction=True)  # cards are made by threads with connections of their own

Made = Callable[..., Card]
LAYOUTS = ["featured", "mosaic", "filmstrip", "code-split"]


@pytest.fixture(autouse=True)
def _brief(valkey: Any, settings: Any) -> None:
    """Nobody works here: a request soon stops waiting."""
    settings.OVEN_WAIT_S = 0.2


def of_yesterday() -> None:
    yesterday = today() - timedelta(days=1)
    for card in Card.objects.all():
        Card.objects.filter(pk=card.pk).update(day=yesterday, key=key_of(Layout(card.layout), yesterday))


def fail(code: str = "list_empty") -> None:
    """Ends the waiting card as a worker would that cannot make it."""
    card = Card.objects.filter(state="queued").latest("id")
    running = lifecycle.claim("card", card.pk, "test:1:1")
    assert running is not None
    lifecycle.fail(running, code, "The list of pieces names none that could be shown.", retry=False)


# --- /kidlisp-og.png ------------------------------------------------------------------------------------------------


@BY_THREADS
def test_todays_card_is_redirected_to(made: Made) -> None:
    card = made(Layout.MOSAIC)
    answer = request("GET", "/kidlisp-og.png")
    assert (answer.status, answer.headers["X-Cache"]) == (302, "CDN")
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    assert answer.headers["Location"] == card.url
    assert answer.headers["Location"].startswith(f"/files/art/og/kidlisp/{today()}-mosaic.png?v=")


def test_the_picture_itself_is_kept_by_caches_for_a_day(planted: Made) -> None:
    planted(Layout.NOTEPAT)
    answer = request("GET", "/files/art/og/notepat/notepat-og.png?v=1")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=86400")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_without_todays_the_last_one_serves_and_a_new_one_is_begun(planted: Made) -> None:
    card = planted(Layout.MOSAIC)
    of_yesterday()
    answer = request("GET", "/kidlisp-og.png")
    assert (answer.status, answer.headers["X-Cache"], answer.headers["Location"]) == (302, "STALE", card.url)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert Card.objects.filter(state="queued", layout="mosaic", source="og").count() == 1
    assert request("GET", "/kidlisp-og.png").headers["X-Cache"] == "STALE"  # also while it is made
    assert Card.objects.filter(state="queued").count() == 1


@pytest.mark.parametrize("query", ["", "?layout=nonsense", "?layout=backdrop", "?layout=%3Cb%3E"])
def test_without_any_card_it_is_the_sites_name(query: str) -> None:
    answer = request("GET", f"/kidlisp-og.png{query}")
    assert (answer.status, answer.headers["Location"]) == (302, "/static/oven/cards/kidlisp.png")
    assert Card.objects.get().layout == "mosaic"


def test_a_failure_keeps_the_last_card(planted: Made) -> None:
    card = planted(Layout.MOSAIC)
    of_yesterday()
    request("GET", "/kidlisp-og.png")
    fail()
    answer = request("GET", "/kidlisp-og.png")
    assert (answer.status, answer.headers["Location"]) == (302, card.url)
    assert not Card.objects.filter(state="queued").exists()  # not at once again


def test_a_cached_card_costs_one_query(planted: Made, django_assert_max_num_queries: Any) -> None:
    planted(Layout.MOSAIC)
    with django_assert_max_num_queries(1):
        request("GET", "/kidlisp-og.png")
    with django_assert_max_num_queries(1):
        request("GET", "/kidlisp-og?layout=mosaic")


# --- /kidlisp-og ----------------------------------------------------------------------------------------------------


def test_an_unknown_layout_is_400_with_the_four_that_are(people: Any) -> None:
    answer = request("GET", "/kidlisp-og?layout=x")
    assert (answer.status, answer.json["field"], answer.json["valid"]) == (400, "layout", LAYOUTS)
    assert request("GET", "/kidlisp-og?layout=notepat").status == 400


def test_featured_is_what_is_meant_without_a_layout() -> None:
    request("GET", "/kidlisp-og")
    assert Card.objects.get().layout == "featured"


def test_a_cached_card_is_redirected_to(planted: Made) -> None:
    card = planted(Layout.CODE_SPLIT)
    answer = request("GET", "/kidlisp-og?layout=code-split")
    assert (answer.status, answer.headers["X-Cache"], answer.headers["Location"]) == (302, "HIT", card.url)
    assert answer.headers["Cache-Control"] == "public, max-age=3600"


def test_one_that_takes_too_long_is_504_and_goes_on() -> None:
    answer = request("GET", "/kidlisp-og?layout=featured")
    assert (answer.status, answer.headers["Cache-Control"]) == (504, "no-store")
    assert request("GET", answer.json["statusUrl"]).json["state"] == "queued"


def test_a_failure_is_500_with_its_reason() -> None:
    request("GET", "/kidlisp-og?layout=featured")
    fail()
    answer = request("GET", "/kidlisp-og?layout=featured")
    assert (answer.status, answer.json["code"]) == (500, "list_empty")
    assert answer.json["error"] and "names none" in answer.json["message"]


def test_a_failure_serves_the_last_card_if_there_is_one(planted: Made) -> None:
    card = planted(Layout.FEATURED)
    of_yesterday()
    request("GET", "/kidlisp-og?layout=featured")
    fail()
    answer = request("GET", "/kidlisp-og?layout=featured")
    assert (answer.status, answer.headers["X-Cache"], answer.headers["Location"]) == (302, "STALE", card.url)


@pytest.mark.parametrize(
    "path",
    ["/kidlisp-og", "/kidlisp-og?layout=featured", "/notepat-og.png", "/kidlisp-backdrop", "/kidlisp-backdrop.webp"],
)
def test_force_is_for_staff_and_tokens(people: Any, path: str) -> None:
    forced = path + ("&" if "?" in path else "?") + "force=true"
    assert request("GET", forced).status == 401
    assert request("GET", forced, user=people.outsider).status == 401
    assert request("GET", forced, headers=people.bearer(people.steering_token)).status == 403
    assert not Card.objects.exists()
    assert request("GET", forced, user=people.staff).status == 504
    card = Card.objects.get()
    assert (card.source, card.spec, card.requested_by) == ("force", {"recapture": True}, people.staff)
    assert request("GET", forced, headers=people.bearer(people.grabbing_token)).status == 504  # joins it
    assert Card.objects.count() == 1


def test_force_makes_another_card_beside_the_good_one(planted: Made, people: Any) -> None:
    card = planted(Layout.FEATURED)
    request("GET", "/kidlisp-og?layout=featured&force=true", user=people.staff)
    assert Card.objects.filter(state="queued").count() == 1
    assert request("GET", "/kidlisp-og?layout=featured").headers["Location"] == card.url  # meanwhile
    fail()
    assert request("GET", "/kidlisp-og?layout=featured").headers["Location"] == card.url
    of_yesterday()
    refused = request("GET", "/kidlisp-og?layout=featured&force=true", user=people.staff)
    assert refused.status == 504  # whoever forces is told, not served the old one


@BY_THREADS
def test_status_has_the_shape_of_the_contract(made: Made) -> None:
    keys = {"cached", "url", "expires", "generatedAt", "featuredPiece", "availableLayouts", "usage", "note"}
    empty = request("GET", "/kidlisp-og/status").json
    assert set(empty) == keys
    assert (empty["cached"], empty["url"], empty["expires"], empty["featuredPiece"]) == (False, None, None, None)
    card = made(Layout.FEATURED)
    found = request("GET", "/kidlisp-og/status").json
    assert set(found) == keys
    assert (found["cached"], found["url"], found["featuredPiece"]) == (True, card.url, card.featured)
    assert found["availableLayouts"] == LAYOUTS
    assert set(found["usage"]) == {"recommended", "withLayout", "dynamic", "forceRegenerate"}
    assert datetime.fromisoformat(found["expires"]).date() == today() + timedelta(days=1)
    assert card.ended_at is not None and found["generatedAt"] == round(card.ended_at.timestamp() * 1000)


# --- notepat and the backdrop ---------------------------------------------------------------------------------------


@BY_THREADS
def test_notepat_is_the_picture_itself(made: Made) -> None:
    made(Layout.NOTEPAT)
    answer = request("GET", "/notepat-og.png")
    assert (answer.status, answer.headers["Content-Type"], answer.headers["X-Cache"]) == (200, "image/png", "HIT")
    assert answer.headers["Cache-Control"] == "public, max-age=604800"
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert answer.body.startswith(b"\x89PNG")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = request("GET", "/notepat-og.png", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


@BY_THREADS
def test_todays_backdrop_is_redirected_to_with_its_piece(made: Made, site: Any) -> None:
    site.lists([{"code": "花火", "owner": {"handle": "@jeffrey"}}])
    made(Layout.BACKDROP)
    for path, cache in (("/kidlisp-backdrop.webp", "CDN"), ("/kidlisp-backdrop", "HIT")):
        answer = request("GET", path)
        assert (answer.status, answer.headers["X-Cache"]) == (302, cache)
        assert answer.headers["Location"].startswith(f"/files/art/backdrop/kidlisp/{today()}.webp?v=")
        assert answer.headers["X-Backdrop-Piece"] == "%E8%8A%B1%E7%81%AB"


@pytest.mark.parametrize(("path", "status"), [("/kidlisp-backdrop.webp", 503), ("/kidlisp-backdrop", 500)])
def test_without_a_backdrop_the_reason_is_said(path: str, status: int) -> None:
    request("GET", path)
    fail()
    assert request("GET", path).status == status


# --- the page -------------------------------------------------------------------------------------------------------


def test_the_short_address_leads_to_the_page() -> None:
    answer = request("GET", "/kidlisp-og/preview")
    assert (answer.status, answer.headers["Location"]) == (302, "/og-preview")


def test_the_page_shows_every_card_and_makes_none(planted: Made) -> None:
    planted(Layout.FEATURED)
    before = Card.objects.count()
    answer = request("GET", "/og-preview")
    page = answer.body.decode()
    assert answer.status == 200
    for layout in LAYOUTS:
        assert f"/kidlisp-og?layout={layout}" in page
    assert "/notepat-og.png" in page and "/kidlisp-backdrop" in page
    assert f"{today()}-featured.png?v=" in page
    assert Card.objects.count() == before


def test_the_page_runs_nothing_and_loads_only_our_own_files() -> None:
    answer = request("GET", "/og-preview")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    page = answer.body.decode()
    assert "<script" not in page and "style=" not in page and "<style" not in page


def test_only_staff_are_offered_to_make_one_again(planted: Made, people: Any) -> None:
    planted(Layout.NOTEPAT)
    assert "force=true" not in request("GET", "/og-preview").body.decode()
    assert "force=true" not in request("GET", "/og-preview", user=people.outsider).body.decode()
    assert request("GET", "/og-preview", user=people.staff).body.decode().count("force=true") == 1


def test_the_page_says_what_failed_and_escapes_what_it_shows(planted: Made) -> None:
    planted(Layout.FEATURED)
    Card.objects.update(featured={"code": "<b>x</b>"}, pieces=["<b>x</b>"])
    request("GET", "/kidlisp-og?layout=filmstrip")
    fail()
    page = request("GET", "/og-preview").body.decode()
    assert "names none that could be shown" in page and "not renewed" in page
    assert "<b>x" not in page and "&lt;b&gt;x" in page


def test_the_queries_of_the_page_do_not_grow(planted: Made, django_assert_max_num_queries: Any) -> None:
    planted(Layout.FEATURED)
    with django_assert_max_num_queries(12):
        request("GET", "/og-preview")


# --- steering -------------------------------------------------------------------------------------------------------


def test_staff_make_a_card_again_in_the_admin(planted: Made, client: Any, people: Any) -> None:
    card = planted(Layout.FEATURED)
    client.force_login(people.staff)
    act(client, Card, "refresh", [card])
    assert Card.objects.filter(state="queued", requested_by=people.staff).count() == 1
    url = reverse("admin:captures_card_change", args=[card.pk])
    assert card.key in client.get(url).content.decode()


def test_the_live_page_cancels_a_card_and_makes_it_again(planted: Made, client: Any, people: Any) -> None:
    card = planted(Layout.FEATURED)
    client.force_login(people.staff)
    again = client.post(f"/live/job/{card.public_id}/again").json()["job"]
    assert (again["kind"], again["state"], again["name"]) == ("card", "queued", "featured card")
    cancelled = client.post(f"/live/job/{again['id']}/cancel").json()["job"]
    assert cancelled["state"] == "cancelled"
    assert not Grab.objects.exists()
