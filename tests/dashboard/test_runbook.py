"""Every alert leads to its row of the documentation, and to what it is about."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from dashboard import runbook
from oven.ops.health import alerts

pytestmark = pytest.mark.django_db


def hrefs(user: Any, code: str) -> list[str]:
    return [link["href"] for link in runbook.links(user)[code]]


@pytest.mark.parametrize("code", alerts.codes())
def test_every_alert_has_a_row_and_leads_somewhere_that_exists(code: str, people: Any, valkey: Any) -> None:
    (row,) = [row for row in runbook.rows() if code in row.codes]
    assert row.means
    assert row.do
    client = Client()
    client.force_login(people.staff)
    found = hrefs(people.staff, code)
    assert found[-1] == f"/live/alerts#{code}"
    for href in found:
        page = client.get(href)
        assert page.status_code == 200
        mark = href.partition("#")[2]
        assert not mark or f'id="{mark}"' in page.content.decode()


def test_the_targets_are_of_alerts_that_exist() -> None:
    assert set(runbook.TARGETS) <= {runbook._general(code) for code in alerts.codes()}


def test_only_those_who_may_open_a_list_are_led_there(people: Any) -> None:
    from django.contrib.auth.models import AnonymousUser

    assert hrefs(people.staff, "core")[0] == "/admin/bundles/corebuild/"
    assert hrefs(AnonymousUser(), "core") == ["/live/alerts#core"]
    assert hrefs(AnonymousUser(), "queue")[0] == "/?state=queued#next-title"


def test_the_page_shows_what_there_is_now(people: Any, valkey: Any, settings: Any) -> None:
    settings.OVEN_ALERT_MEMORY_PERCENT = 0
    client = Client()
    client.force_login(people.viewer)
    text = client.get("/live/alerts").content.decode()
    assert '<li class="strip" data-level="bad"><p>Memory is ' in text
    assert '<a href="/#workers-box">Workers</a>' in text
    assert "<code>manage.py capture_worker</code>" in text
