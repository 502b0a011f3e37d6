"""Retention rules in the admin, through the pages that staff use."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from oven.ops.retention import report
from oven.ops.retention.models import RetentionRule

admin.autodiscover()
RULES = reverse("admin:retention_retentionrule_changelist")


def url(kind: str = "grab") -> str:
    return reverse("admin:retention_retentionrule_change", args=[RetentionRule.objects.get(kind=kind).pk])


@pytest.fixture
def staff(client: Any, people: Any) -> Any:
    client.force_login(people.staff)
    return client


def clerk(client: Any, *permissions: str) -> Any:
    user = get_user_model().objects.create_user("dora", password="dora", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def test_a_rules_page_says_what_it_would_delete_now(staff: Any, old_grab: Any, rule: Any) -> None:
    rule("grab", days=90)
    old_grab()
    page = staff.get(url()).content.decode()
    assert "Would delete now: grabs: 1 rows that ended" in page
    assert "2 files" in page


def test_of_very_much_it_says_only_that(
    staff: Any, old_grab: Any, rule: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule("grab", days=90)
    monkeypatch.setattr(report, "FEW", 1)
    old_grab()
    old_grab(piece="waves")
    assert "of more than 1 rows over the limits" in staff.get(url()).content.decode()


def test_protected_rows_are_counted(staff: Any, old_grab: Any, rule: Any) -> None:
    from captures.models import FrozenPiece

    rule("grab", days=90)
    FrozenPiece.objects.create(piece="still", reason="frozen", grab=old_grab())
    assert "Would delete now: grabs: 0 rows (1 protected)" in staff.get(url()).content.decode()


def test_a_change_is_audited_with_its_values(staff: Any) -> None:
    assert staff.post(url(), {"keep_days": "30", "keep_rows": ""}).status_code == 302
    found = RetentionRule.objects.get(kind="grab")
    assert (found.keep_days, found.keep_rows) == (30, None)
    entry = LogEntry.objects.get()
    assert entry.change_message == "Keep days: 90 → 30; Keep rows: 1,000,000 → no limit"
    assert str(entry.user) == "alice"


@pytest.mark.parametrize(("days", "rows"), [("0", ""), ("-1", ""), ("40000", ""), ("x", ""), ("", "0"), ("1.5", "")])
def test_limits_that_make_no_sense_are_refused(staff: Any, days: str, rows: str) -> None:
    answer = staff.post(url(), {"keep_days": days, "keep_rows": rows})
    assert answer.status_code == 200 and "errorlist" in answer.content.decode()
    assert RetentionRule.objects.get(kind="grab").keep_days == 90


def test_rules_are_not_added_or_deleted(staff: Any) -> None:
    assert staff.get(RULES).status_code == 200
    assert staff.get(RULES + "add/").status_code == 403
    assert staff.post(url().replace("change/", "delete/"), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("permissions", "sees", "changes"),
    [
        ([], 403, 403),
        (["view_retentionrule"], 200, 403),
        (["view_retentionrule", "change_retentionrule"], 200, 302),
    ],
)
def test_only_who_has_the_permission_changes_a_rule(
    client: Any, db: None, permissions: list[str], sees: int, changes: int
) -> None:
    browser = clerk(client, *permissions)
    assert browser.get(url()).status_code == sees
    assert browser.post(url(), {"keep_days": "30", "keep_rows": ""}).status_code == changes
    assert RetentionRule.objects.get(kind="grab").keep_days == (30 if changes == 302 else 90)
