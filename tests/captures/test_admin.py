"""The admin's lists and actions, through the pages that staff use."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from captures.models import FrozenPiece, Grab
from captures.requests import GrabRequest, parse
from captures.services import ask
from oven.jobs import lifecycle

admin.autodiscover()
OURS = [
    model
    for model in admin.site._registry
    if model._meta.app_label in ("captures", "bakes", "bundles", "jobs", "artifacts", "access")
]


@pytest.fixture
def staff(client: Any, people: Any) -> Any:
    client.force_login(people.staff)
    return client


def act(staff: Any, model: Any, action: str, rows: list[Any], everything: bool = False) -> Any:
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    data = {"action": action, "_selected_action": [row.pk for row in rows], "select_across": int(everything)}
    return staff.post(url, data, follow=True)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_list_opens_for_staff_and_for_nobody_else(
    client: Any, people: Any, grab: Any, valkey: Any, model: Any
) -> None:
    grab()
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    assert client.get(url).status_code == 302
    client.force_login(people.outsider)
    assert client.get(url).status_code == 302
    client.force_login(people.staff)
    assert client.get(url, {"q": "orbit"}).status_code == 200


def test_a_grabs_page_shows_its_attempts(staff: Any, grab: Any, valkey: Any) -> None:
    job = grab()
    running = lifecycle.claim("grab", job.pk, "host:1:1")
    assert running is not None
    lifecycle.fail(running, "blank", "The page never drew anything.", retry=False, spans={"load": 12})
    page = staff.get(reverse("admin:captures_grab_change", args=[job.pk])).content.decode()
    assert "The page never drew anything." in page
    assert "12\N{NO-BREAK SPACE}ms" in page


def test_a_grabs_page_shows_the_options_of_its_page_without_secrets(staff: Any, valkey: Any) -> None:
    asked = {"piece": "orbit", "selector": "#hero", "cookies": {"session": "of-a-visitor"}}
    grab = ask(parse(asked, any_page=True)).grab
    page = staff.get(reverse("admin:captures_grab_change", args=[grab.pk])).content.decode()
    assert "selector #hero, headers or cookies (not shown)" in page
    assert "of-a-visitor" not in page and "encrypted" not in page
    staff.post(reverse("admin:captures_grab_change", args=[grab.pk]), {})
    assert GrabRequest.from_json(Grab.objects.get(pk=grab.pk).spec).page.cookies == (("session", "of-a-visitor"),)


def test_cancel_takes_waiting_grabs_and_is_audited(staff: Any, grab: Any, valkey: Any) -> None:
    job = grab()
    act(staff, Grab, "cancel", [job])
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert LogEntry.objects.filter(object_id=str(job.pk), change_message__contains="cancelled").exists()


def test_grab_again_on_the_whole_filter_makes_new_rows(staff: Any, grab: Any, valkey: Any) -> None:
    job = grab()
    lifecycle.cancel(job)
    act(staff, Grab, "again_without_cache", [job], everything=True)
    assert Grab.objects.count() == 2
    assert Grab.objects.filter(requeued_from=job, state="queued").count() == 1


def test_a_row_action_needs_a_post(staff: Any, grab: Any, valkey: Any) -> None:
    job = grab()
    url = reverse("admin:captures_grab_change", args=[job.pk]).replace("change/", "cancel/")
    assert staff.get(url).status_code == 200
    job.refresh_from_db()
    assert job.state == "queued"
    staff.post(url, {"_form_submitted": "on"})
    job.refresh_from_db()
    assert job.state == "cancelled"


@pytest.mark.parametrize("action", ["unfreeze", "unfreeze_and_grab"])
def test_unfreeze_takes_a_piece_off_the_list(staff: Any, valkey: Any, action: str) -> None:
    entry = FrozenPiece.objects.create(piece="$still", reason="frozen")
    act(staff, FrozenPiece, action, [entry])
    assert not FrozenPiece.objects.exists()


def test_staff_freeze_a_piece_by_hand_and_only_real_names(staff: Any, valkey: Any) -> None:
    url = reverse("admin:captures_frozenpiece_add")
    staff.post(url, {"piece": "../etc", "error": "no"})
    assert not FrozenPiece.objects.exists()
    staff.post(url, {"piece": "$roz", "error": "asked by its author"})
    assert FrozenPiece.objects.get().reason == "staff"


def test_those_who_only_view_cannot_act(client: Any, people: Any, grab: Any, valkey: Any) -> None:
    from django.contrib.auth.models import Permission

    people.outsider.is_staff = True
    people.outsider.save()
    people.outsider.user_permissions.add(Permission.objects.get(codename="view_grab"))
    client.force_login(people.outsider)
    job = grab()
    act(client, Grab, "cancel", [job])
    job.refresh_from_db()
    assert job.state == "queued"
