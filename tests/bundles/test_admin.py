"""Bundles and core builds in the admin, through the pages that staff use."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bundles.admin import HEAVIEST, bars
from bundles.models import Bundle, CoreBuild

admin.autodiscover()
BUNDLES, CORES = reverse("admin:bundles_bundle_changelist"), reverse("admin:bundles_corebuild_changelist")


@pytest.fixture
def staff(client: Any, people: Any) -> Any:
    client.force_login(people.staff)
    return client


def test_a_core_builds_page_shows_its_files_heaviest_first(staff: Any, core: Any) -> None:
    row = core()
    page = staff.get(reverse("admin:bundles_corebuild_change", args=[row.pk])).content.decode()
    assert page.rindex("runtime/main.mjs") < page.rindex("runtime/odd.mjs")
    assert "not minified" in page


def test_a_failed_builds_page_says_why(staff: Any, core: Any) -> None:
    row = core(error="The runtime does not run offline: It draws nothing.")
    page = staff.get(reverse("admin:bundles_corebuild_change", args=[row.pk])).content.decode()
    assert "It draws nothing." in page


def test_the_lightest_files_are_shown_together() -> None:
    table = [[f"{number}.mjs", 20, 10, ""] for number in range(HEAVIEST + 5)]
    rows = bars(table)
    assert len(rows) == HEAVIEST + 1
    assert rows[-1]["path"] == "5 lighter ones"
    assert bars([]) == []


def test_the_runtime_is_packed_by_a_button(staff: Any, valkey: Any) -> None:
    url = CORES + "prewarm/"
    assert staff.get(url).status_code == 200
    assert not CoreBuild.objects.exists()
    staff.post(url, {"_form_submitted": "on"})
    assert CoreBuild.objects.get().source == "admin"
    assert LogEntry.objects.filter(change_message__contains="asked for").exists()


def test_a_bundles_page_opens_and_downloads_it(staff: Any, bundled: Any) -> None:
    row = bundled()
    page = staff.get(reverse("admin:bundles_bundle_change", args=[row.pk])).content.decode()
    assert f'href="/bundles/{row.public_id}"' in page
    assert f'href="/bundles/{row.public_id}?download=1"' in page
    opened = staff.get(reverse("admin:bundles_bundle_change", args=[row.pk]).replace("change/", "open/"))
    assert (opened.status_code, opened.url) == (302, f"/bundles/{row.public_id}")


def test_again_makes_new_rows_and_cancel_takes_waiting_ones(staff: Any, bundled: Any, asked: Any) -> None:
    row = bundled()
    staff.post(BUNDLES, {"action": "again", "_selected_action": [row.pk]})
    new = Bundle.objects.exclude(pk=row.pk).get()
    assert (new.source, new.state) == ("again", "queued")
    staff.post(BUNDLES, {"action": "cancel", "_selected_action": [new.pk]})
    assert Bundle.objects.get(pk=new.pk).state == "cancelled"


@pytest.mark.parametrize("url", [BUNDLES, CORES])
def test_a_longer_list_asks_no_more_questions(staff: Any, bundled: Any, core: Any, url: str) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as found:
            assert staff.get(url).status_code == 200
        return len(found)

    bundled()
    core(tree="0")
    few = questions()
    for number in range(1, 4):
        core(tree=str(number))
        bundled()
    assert questions() == few
