"""Bakes and messages to the site in the admin, through the pages that staff use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bakes.models import Bake, Delivery, Site
from oven.jobs import lifecycle
from oven.storage import stores
from tests.support import picture

admin.autodiscover()
BAKES, DELIVERIES = reverse("admin:bakes_bake_changelist"), reverse("admin:bakes_delivery_changelist")


@pytest.fixture
def staff(client: Any, people: Any) -> Any:
    client.force_login(people.staff)
    return client


def act(staff: Any, url: str, action: str, rows: list[Any], everything: bool = False) -> Any:
    data = {"action": action, "_selected_action": [row.pk for row in rows], "select_across": int(everything)}
    return staff.post(url, data, follow=True)


def stored(bake: Bake, tmp_path: Path) -> Bake:
    """With a video and a thumbnail."""
    video = stores.keep(picture(tmp_path / "v"), f"tapes/{bake.code}.mp4", "video/mp4", store="blobs")
    thumbnail = stores.keep(picture(tmp_path / "t"), f"tapes/{bake.code}-thumb.jpg", "image/jpeg", store="blobs")
    Bake.objects.filter(pk=bake.pk).update(video=video, thumbnail=thumbnail, width=384, height=288, frames=120)
    bake.refresh_from_db()
    return bake


def undelivered(bake: Bake) -> Delivery:
    delivery: Any = lifecycle.claim("delivery", bake.deliveries.get().pk, "test:1:1")
    return lifecycle.fail(delivery, "gone", "The site wants no more of this (HTTP 410).", retry=False)  # type: ignore[no-any-return]


def test_a_bakes_page_plays_its_video_and_lists_every_try(staff: Any, ended: Any, tmp_path: Path) -> None:
    bake = stored(ended(), tmp_path)
    undelivered(bake)
    page = staff.get(reverse("admin:bakes_bake_change", args=[bake.pk])).content.decode()
    assert f'src="{bake.versioned_video_url}"' in page
    assert "<video" in page
    assert "The site wants no more of this (HTTP 410)." in page
    assert "Not delivered" in page


def test_a_failed_bakes_page_says_why(staff: Any, ended: Any) -> None:
    bake = ended(error="frame-00003.png is not a picture.")
    page = staff.get(reverse("admin:bakes_bake_change", args=[bake.pk])).content.decode()
    assert "frame-00003.png is not a picture." in page


def test_again_makes_new_rows_and_is_audited(staff: Any, ended: Any, bake: Any) -> None:
    done, waiting = ended("done"), bake("waiting")
    act(staff, BAKES, "again", [done, waiting], everything=True)
    assert Bake.objects.filter(requeued_from=done, state="queued").count() == 1
    assert not Bake.objects.filter(requeued_from=waiting).exists()
    assert LogEntry.objects.filter(
        object_id=str(done.pk), change_message__startswith="requeued as bake-done-"
    ).exists()


def test_cancel_takes_waiting_bakes(staff: Any, bake: Any) -> None:
    row = bake()
    act(staff, BAKES, "cancel", [row])
    assert Bake.objects.get(pk=row.pk).state == "cancelled"


def test_the_site_is_told_again_from_either_list(staff: Any, ended: Any) -> None:
    bake = ended()
    first = undelivered(bake)
    act(staff, BAKES, "replay", [bake])
    assert bake.deliveries.count() == 2
    undone = bake.deliveries.first()
    lifecycle.cancel(undone)
    act(staff, DELIVERIES, "replay", [first])
    assert bake.deliveries.count() == 3
    assert len({delivery.message_id for delivery in bake.deliveries.all()}) == 1
    assert Bake.objects.get(pk=bake.pk).site == Site.TOLD


def test_what_is_still_under_way_is_left_out_and_that_is_said(staff: Any, ended: Any) -> None:
    bake = ended()
    page = act(staff, BAKES, "replay", [bake]).content.decode()
    assert "1 left out" in page
    assert bake.deliveries.count() == 1


def test_a_row_action_needs_a_post(staff: Any, ended: Any) -> None:
    bake = ended()
    undelivered(bake)
    url = reverse("admin:bakes_bake_change", args=[bake.pk]).replace("change/", "replay/")
    assert staff.get(url).status_code == 200
    assert bake.deliveries.count() == 1
    staff.post(url, {"_form_submitted": "on"})
    assert bake.deliveries.count() == 2


def test_those_who_only_view_cannot_act(client: Any, people: Any, bake: Any) -> None:
    from django.contrib.auth.models import Permission

    people.outsider.is_staff = True
    people.outsider.save()
    people.outsider.user_permissions.add(Permission.objects.get(codename="view_bake"))
    client.force_login(people.outsider)
    row = bake()
    act(client, BAKES, "cancel", [row])
    assert Bake.objects.get(pk=row.pk).state == "queued"


@pytest.mark.parametrize("url", [BAKES, DELIVERIES])
def test_a_longer_list_asks_no_more_questions(staff: Any, ended: Any, tmp_path: Path, url: str) -> None:
    def questions() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert staff.get(url).status_code == 200
        return len(found)

    stored(ended("one"), tmp_path)
    few = questions()
    for code in ("two", "three", "four"):
        stored(ended(code), tmp_path)
    assert questions() == few
