"""RQ's own pages: every one of them, from the URL table, for every kind of person."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import django_rq
import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import URLPattern, reverse
from django_rq.models import Dashboard
from django_rq.settings import get_queues_map

pytestmark = pytest.mark.django_db
admin.autodiscover()
LIGHT = get_queues_map()["light"]
KNOWN = {
    "queue_index": LIGHT,
    "job_id": "none",
    "result_id": "none",
    "key": "none",
    "scheduler_index": 0,
    "connection_index": 0,
    "scheduler_name": "none",
    "cron_job_name": "none",
    "token": "none",
    "object_id": "1",
    "app_label": "django_rq",
}


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


def pages() -> Iterator[str]:
    """The addresses of all of RQ's pages, as Django resolves them."""
    urls: list[URLPattern] = admin.site._registry[Dashboard].get_urls()
    for url in urls:
        arguments = {name: KNOWN[name] for name in url.pattern.regex.groupindex if name in KNOWN}
        yield reverse(f"admin:{url.name}", kwargs=arguments) if url.name else "/admin/django_rq/dashboard/1/"


PAGES = sorted(set(pages()))


def client(user: Any) -> Client:
    found = Client()
    if user is not None:
        found.force_login(user)
    return found


def queued() -> int:
    return int(django_rq.get_queue("light").count)


def test_there_are_pages_to_look_at() -> None:
    assert len(PAGES) > 25
    assert f"/admin/django_rq/dashboard/queues/{LIGHT}/empty/" in PAGES
    assert "/admin/django_rq/dashboard/stats.json" in [page.rstrip("/") for page in PAGES]


@pytest.mark.parametrize("role", ["viewer", "operator", "administrator"])
def test_nobody_but_superusers_has_any_of_them(role: str, people: Any, valkey: Any) -> None:
    django_rq.get_queue("light").enqueue("builtins.print")
    browser = client(getattr(people, role))
    found = {(page, browser.get(page).status_code, browser.post(page).status_code) for page in PAGES}
    assert found == {(page, 403, 403) for page in PAGES}
    assert queued() == 1
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("who", [None, "outsider"])
def test_others_are_sent_to_sign_in(who: str | None, people: Any, valkey: Any) -> None:
    browser = client(getattr(people, who) if who else None)
    found = {browser.get(page).headers.get("Location", "").partition("?")[0] for page in PAGES}
    assert found == {"/admin/login/"}


def test_a_superuser_sees_them(people: Any, valkey: Any) -> None:
    browser = client(people.staff)
    for page in ("", "stats.json", f"queues/{LIGHT}/", f"queues/{LIGHT}/started/", f"workers/{LIGHT}/"):
        assert browser.get(f"/admin/django_rq/dashboard/{page}").status_code == 200, page


def test_what_a_superuser_does_there_is_in_the_audit(people: Any, valkey: Any) -> None:
    job = django_rq.get_queue("light").enqueue("builtins.print")
    browser = client(people.staff)
    browser.get(f"/admin/django_rq/dashboard/queues/{LIGHT}/")
    browser.post(f"/admin/django_rq/dashboard/queues/{LIGHT}/{job.id}/delete/")
    django_rq.get_queue("light").enqueue("builtins.print", job_id="a")
    browser.post(f"/admin/django_rq/dashboard/queues/actions/{LIGHT}/", {"action": "delete", "job_ids": ["a"]})
    browser.post(f"/admin/django_rq/dashboard/queues/{LIGHT}/empty/")
    rows = LogEntry.objects.order_by("pk").values_list("user__username", "change_message")
    assert list(rows) == [
        ("alice", f"delete_job light {job.id}"),
        ("alice", "actions light delete a"),
        ("alice", "clear light"),
    ]
    assert queued() == 0
    assert browser.get("/admin/admin/logentry/").status_code == 200
