"""Times that people read are in the site's time zone, and say so; what programs read is UTC."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.contrib.admin.models import LogEntry
from django.test import Client

from oven.accounts.models import ApiToken
from oven.adminkit.base import ago
from oven.jobs.models import Attempt
from oven.ops.retention.report import Tally
from tests.support import request

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 7, 1, 12, 0, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _berlin(settings: Any) -> None:
    settings.TIME_ZONE = settings.OVEN_TIME_ZONE = "Europe/Berlin"


@pytest.fixture
def staff(people: Any, valkey: Any) -> Client:
    found = Client()
    found.force_login(people.staff)
    return found


def test_a_time_of_the_admin_has_its_zone_in_its_title() -> None:
    assert 'title="2026-07-01 14:00:05 CEST"' in str(ago(NOON))
    assert 'datetime="2026-07-01T12:00:05+00:00"' in str(ago(NOON))


def test_the_admin_and_the_pages_name_the_zone(staff: Client) -> None:
    assert "Times in Europe/Berlin" in staff.get("/admin/").content.decode()
    live = staff.get("/").content.decode()
    assert '<html lang="en" data-time-zone="Europe/Berlin">' in live
    assert "Times are in Europe/Berlin." in live
    assert 'data-time-zone="Europe/Berlin"' in staff.get("/app-screenshots").content.decode()


def test_attempts_and_their_logs_are_in_the_zone(staff: Client, grab: Any) -> None:
    row = grab()
    Attempt.objects.create(kind="grab", job_pk=row.pk, job_id=row.public_id, number=1, worker="w", started_at=NOON)
    Attempt.objects.update(started_at=NOON)
    assert "2026-07-01 14:00:05 CEST" in staff.get(f"/admin/captures/grab/{row.pk}/change/").content.decode()


def test_a_rotated_token_ends_at_a_time_of_the_zone(staff: Client, people: Any) -> None:
    token = ApiToken.objects.get(name="steer")
    page = staff.post("/admin/access/apitoken/", {"action": "rotate", "_selected_action": [token.pk]}, follow=True)
    token.refresh_from_db()
    ends = token.previous_until + timedelta(hours=2 if "CEST" in page.content.decode() else 1)
    assert f"The old one ends at {ends:%Y-%m-%d %H:%M} CE" in page.content.decode()


def test_what_retention_would_delete_is_said_in_times_of_the_zone() -> None:
    said = str(Tally("grabs", rows=1, oldest=NOON, newest=NOON))
    assert "that ended 2026-07-01 14:00 to 2026-07-01 14:00 CEST" in said


def test_a_date_in_a_form_is_of_the_zone(staff: Client, people: Any) -> None:
    given = {"name": "new", "scopes": ["grab"], "expires_at_0": "2030-07-01", "expires_at_1": "14:00:00"}
    staff.post("/admin/access/apitoken/add/", given)
    assert ApiToken.objects.get(name="new").expires_at == datetime(2030, 7, 1, 12, tzinfo=UTC)


def test_lists_by_day_go_by_the_days_of_the_zone(staff: Client, people: Any) -> None:
    from oven.adminkit.audit import audit_action

    audit_action(people.staff, ApiToken, "unmistakable")
    LogEntry.objects.update(action_time=datetime(2026, 6, 30, 22, 30, tzinfo=UTC))
    day = "action_time__year=2026&action_time__month={}&action_time__day={}"
    assert "unmistakable" in staff.get(f"/admin/admin/logentry/?{day.format(7, 1)}").content.decode()
    assert "unmistakable" not in staff.get(f"/admin/admin/logentry/?{day.format(6, 30)}").content.decode()


def test_the_api_stays_utc(people: Any, valkey: Any) -> None:
    assert json.loads(request("GET", "/health").body)["timestamp"].endswith("+00:00")


def test_no_script_shows_times_in_the_readers_own_zone() -> None:
    scripts = [*(Path(site.BASE_DIR) / "static" / "oven").rglob("*.js")]
    found = {
        path.name
        for path in scripts
        for line in path.read_text().splitlines()
        if any(
            call in line
            for call in ("toLocaleTimeString", "toLocaleDateString", "Date().toLocale", ").toLocaleString")
        )
        and "zone" not in line
    }
    assert found == set()
