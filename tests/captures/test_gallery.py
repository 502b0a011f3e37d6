"""The gallery: who may look, what it shows, who may have pictures made anew."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from captures.icons.requests import ANIMATED_ICON, ICON, PREVIEW, wish_of
from captures.models import Grab
from captures.services import QueueFull, ask
from dashboard import gallery
from dashboard.gallery import Entry, provide
from oven.jobs.models import Attempt
from tests.support import finished

pytestmark = pytest.mark.django_db


@pytest.fixture
def scratch(settings: Any) -> Iterator[Path]:
    place = Path(settings.OVEN_DATA) / "scratch"
    place.mkdir(parents=True, exist_ok=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def icon(valkey: Any, scratch: Path) -> Any:
    def make(piece: str = "orbit", size: str = "64x64", family: Any = ICON, anew: bool = False) -> Grab:
        grab: Grab = finished(ask(wish_of(family, size, piece, {}), skip_cache=anew).grab, scratch)
        return grab

    return make


@pytest.fixture
def staff(client: Any, people: Any) -> Any:
    client.force_login(people.staff)
    return client


@pytest.fixture
def watcher(client: Any, people: Any) -> Any:
    """Staff who may look, and no more."""
    people.outsider.is_staff = True
    people.outsider.save()
    jobs = ContentType.objects.get_for_model(Attempt)
    look, _ = Permission.objects.get_or_create(codename="watch", content_type=jobs, defaults={"name": "Watch"})
    people.outsider.user_permissions.add(look)
    client.force_login(people.outsider)
    return client


def refresh(client: Any, section: str, key: str, **headers: str) -> Any:
    return client.post(
        "/gallery/refresh", {"section": section, "key": key}, headers={"Accept": "application/json", **headers}
    )


def test_only_those_who_may_watch_get_in(client: Any, people: Any) -> None:
    assert client.get("/gallery").status_code == 302
    client.force_login(people.outsider)
    assert client.get("/gallery").status_code == 302
    people.outsider.is_staff = True
    people.outsider.save()
    assert client.get("/gallery").status_code == 403
    client.force_login(people.staff)
    answer = client.get("/gallery")
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_every_picture_is_there_once_with_its_age(staff: Any, icon: Any) -> None:
    icon("orbit")
    newest = icon("orbit", anew=True)
    icon("waves")
    icon("orbit", family=PREVIEW)
    page = staff.get("/gallery").content.decode()
    assert page.count('class="card picture"') == 2
    assert newest.artifact.key in page
    assert "64×64" in page and "<time" in page
    assert staff.get("/gallery?section=previews").content.decode().count('class="card picture"') == 1
    assert staff.get("/gallery?q=wav").content.decode().count('class="card picture"') == 1
    assert "Nothing here is called" in staff.get("/gallery?q=nope").content.decode()


def test_long_lists_have_pages(staff: Any, icon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.gallery.views.PER_PAGE", 2)
    for number in range(3):
        icon(f"piece{number}")
    first, second = (staff.get(f"/gallery?q=piece&page={n}").content.decode() for n in (1, 2))
    assert "piece2" in first and "piece0" not in first and "page=2" in first
    assert "piece0" in second and "page=3" not in second
    assert staff.get("/gallery?page=abc&section=nope").status_code == 200


def test_a_page_costs_the_same_however_long_it_is(staff: Any, icon: Any, django_assert_max_num_queries: Any) -> None:
    for number in range(5):
        icon(f"piece{number}")
    with django_assert_max_num_queries(3):  # session, user, pictures
        staff.get("/gallery")


def test_refreshing_captures_anew(staff: Any, icon: Any) -> None:
    old = icon("$roz", family=ANIMATED_ICON)
    answer = refresh(staff, "animated-icons", old.public_id)
    new = Grab.objects.get(public_id=answer.json()["jobId"])
    assert (new.requeued_from, new.capture_key, new.state) == (old, old.capture_key, "queued")
    assert answer.json()["statusUrl"] == f"/status/{new.public_id}"
    assert "Accept" in answer.headers["Vary"]


def test_a_plain_form_leads_back(staff: Any, icon: Any) -> None:
    answer = refresh(staff, "icons", icon().public_id, Accept="text/html")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/gallery?section=icons")


def test_looking_is_not_refreshing(watcher: Any, icon: Any) -> None:
    grab = icon()
    page = watcher.get("/gallery").content.decode()
    assert grab.artifact.key in page and "gallery/refresh" not in page
    assert refresh(watcher, "icons", grab.public_id).status_code == 403
    assert Grab.objects.count() == 1


@pytest.mark.parametrize(("section", "key", "status"), [("nope", "x", 400), ("icons", "none-12345678", 404)])
def test_what_is_not_there_is_said(staff: Any, valkey: Any, section: str, key: str, status: int) -> None:
    assert refresh(staff, section, key).status_code == status


def test_a_refresh_needs_a_post(staff: Any) -> None:
    assert staff.get("/gallery/refresh").status_code == 405


def test_others_provide_sections_of_their_own(staff: Any, icon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery, "sections", dict(gallery.sections))
    monkeypatch.setattr("dashboard.gallery.views.sections", gallery.sections)
    job = icon()

    def again(key: str, user: Any) -> Any:
        if key == "full":
            raise QueueFull
        return job

    old = timezone.now() - timedelta(days=2)
    cards = [Entry("mosaic", "Mosaic <b>", "/x.png", old), Entry("new", "New", "", None)]
    provide("cards", lambda search, start, count: cards[start : start + count], again, wide=True)
    page = staff.get("/gallery?section=cards").content.decode()
    assert "Mosaic &lt;b&gt;" in page and "2\xa0days ago" in page and "not made yet" in page
    assert ">Cards</a>" in page
    assert refresh(staff, "cards", "mosaic").json()["jobId"] == job.public_id
    assert refresh(staff, "cards", "full").status_code == 503
