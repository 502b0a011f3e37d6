"""Keeps and pins in the admin, through the pages that staff use."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from captures.models import Grab
from oven.jobs import lifecycle
from pins.models import Keep, Pin
from pins.services import pin
from tests.pinning_server import PinningServer

pytestmark = pytest.mark.django_db
admin.autodiscover()
GRABS, KEEPS, PINS = (reverse(f"admin:captures_{name}_changelist") for name in ("grab", "keep", "pin"))


@pytest.fixture
def staff(client: Any, people: Any) -> Any:
    client.force_login(people.staff)
    return client


@pytest.fixture
def keep(service: PinningServer, done: Any, ended_here: Any) -> Keep:
    ended_here(pin(done(piece="$roz")))
    return Keep.objects.get()


def act(staff: Any, url: str, action: str, rows: list[Any]) -> str:
    data = {"action": action, "_selected_action": [row.pk for row in rows], "select_across": 0}
    return str(staff.post(url, data, follow=True).content.decode())


def test_grabs_are_pinned_from_their_list_and_row(staff: Any, service: PinningServer, done: Any, grab: Any) -> None:
    good, waiting = done(), grab(piece="other")
    page = act(staff, GRABS, "pin", [good, waiting])
    assert "1 grab are being pinned." in page or "1 grab is being pinned." in page
    assert "1 left out" in page
    row = Pin.objects.get()
    assert (row.grab, row.requested_by.username, row.source) == (good, "alice", "staff")
    lifecycle.cancel(row)
    url = reverse("admin:captures_grab_change", args=[good.pk]).replace("change/", "pin/")
    staff.post(url, {"_form_submitted": "on"})
    assert Pin.objects.count() == 2
    assert LogEntry.objects.filter(object_id=str(good.pk)).count() == 2


def test_the_lists_show_cid_back_end_and_picture(staff: Any, keep: Keep) -> None:
    for url in (KEEPS, reverse("admin:captures_keep_change", args=[keep.pk])):
        page = staff.get(url).content.decode()
        assert keep.cid in page
        assert keep.artifact.url in page
        assert f"https://ipfs.aesthetic.computer/ipfs/{keep.cid}" in page
        assert "pinata" in page
    page = staff.get(PINS).content.decode()
    assert f"/ipfs/{keep.cid}" in page
    assert keep.cid in staff.get(reverse("admin:captures_pin_change", args=[Pin.objects.get().pk])).content.decode()
    assert keep.cid in staff.get(reverse("admin:captures_grab_change", args=[keep.grab_id])).content.decode()


def test_a_keep_is_checked_and_pinned_again(staff: Any, service: PinningServer, keep: Keep, ended_here: Any) -> None:
    service.pinned.clear()
    act(staff, KEEPS, "again", [keep])
    row = ended_here(Pin.objects.get(source="again"))
    assert (row.found, row.cid, len(service.uploads)) == (False, keep.cid, 2)
    assert Keep.objects.count() == 1


def test_without_credentials_it_is_left_out_and_that_is_said(staff: Any, keep: Keep, settings: Any) -> None:
    settings.OVEN_PINATA_JWT = ""
    assert "1 left out: no file, no credentials" in act(staff, KEEPS, "again", [keep])
    assert "Neither OVEN_PINATA_JWT nor" in act(staff, PINS, "again", [Pin.objects.get()])


def test_a_failed_pin_is_tried_again_from_its_list(
    staff: Any, service: PinningServer, done: Any, ended_here: Any
) -> None:
    service.answers = [400]
    failed = ended_here(pin(done()))
    assert "HTTP 400" in staff.get(PINS).content.decode()
    act(staff, PINS, "again", [failed])
    assert ended_here(Pin.objects.get(source="again")).state == "complete"


def test_those_who_only_view_cannot_act(client: Any, people: Any, keep: Keep) -> None:
    from django.contrib.auth.models import Permission

    people.outsider.is_staff = True
    people.outsider.save()
    people.outsider.user_permissions.add(Permission.objects.get(codename="view_keep"))
    client.force_login(people.outsider)
    assert client.get(KEEPS).status_code == 200
    act(client, KEEPS, "again", [keep])
    assert Pin.objects.count() == 1
    assert client.post(reverse("admin:captures_keep_delete", args=[keep.pk])).status_code == 403


@pytest.mark.parametrize("url", [KEEPS, PINS, GRABS])
def test_a_longer_list_asks_no_more_questions(staff: Any, keep: Keep, done: Any, ended_here: Any, url: str) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as found:
            assert staff.get(url).status_code == 200
        return len(found)

    few = questions()
    for piece in ("two", "three"):
        ended_here(pin(done(piece=piece)))
    assert (Keep.objects.count(), Grab.objects.count()) == (3, 3)
    assert questions() == few
