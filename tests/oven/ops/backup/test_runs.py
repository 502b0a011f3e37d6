"""Who is notified of a backup, and when there has been none for too long."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from oven.ops.backup import runs
from oven.ops.backup.models import BackupRun
from tests.oven.ops.retention.conftest import place
from tests.site_server import Site

__all__ = ["place"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def check(settings: Any) -> Any:
    with Site() as site:
        site.pages["/uuid"] = site.pages["/uuid/start"] = b"ok"
        settings.OVEN_PING_BACKUP_URL = f"{site.origin}/uuid"
        yield site


def backup(directory: Path) -> str:
    err = StringIO()
    call_command("backup", str(directory), stdout=StringIO(), stderr=err)
    return err.getvalue()


def test_start_and_success_are_pinged(check: Site, place: Path, tmp_path: Path) -> None:
    assert backup(tmp_path / "new") == ""
    assert check.fetched == ["/uuid/start", "/uuid"]
    assert check.received == []
    run = BackupRun.objects.get()
    assert (run.good, run.problem) == (True, "")


def test_a_failure_is_pinged_with_its_reason(check: Site, place: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(CommandError, match="is not empty"):
        backup(tmp_path / "full")
    (failure,) = check.received
    assert (failure.path, b"is not empty" in failure.body) == ("/uuid/fail", True)
    assert BackupRun.objects.get().good is False


def test_so_is_one_that_nobody_has_thought_of(check: Site) -> None:
    with pytest.raises(KeyboardInterrupt), runs.recorded(print):
        raise KeyboardInterrupt
    assert check.received[0].body == b"KeyboardInterrupt"
    assert BackupRun.objects.get().good is False


def test_a_ping_that_fails_is_no_failure_of_the_backup(check: Site, place: Path, tmp_path: Path) -> None:
    check.pages["/uuid"] = lambda handler: handler.answer(500)
    assert "OVEN_PING_BACKUP_URL was not pinged: It answered HTTP 500." in backup(tmp_path / "new")
    assert BackupRun.objects.get().good


# --- too old --------------------------------------------------------------------------------------------------------


def ago(hours: float, good: bool = True) -> None:
    BackupRun.objects.create(started_at=timezone.now() - timedelta(hours=hours), good=good)


def texts() -> list[str]:
    return [alert["text"] for alert in runs.alerts()]


def test_who_never_took_one_is_not_told() -> None:
    assert texts() == []


def test_the_last_good_one_counts() -> None:
    ago(27)
    assert texts() == ["The last good backup is 27 hours old (more than 26 hours)."]
    ago(1, good=False)
    assert len(texts()) == 1
    ago(25)
    assert texts() == []


def test_tries_that_all_failed_are_told_after_as_long() -> None:
    ago(3, good=False)
    assert texts() == []
    ago(80, good=False)
    assert texts() == ["There has been no good backup for 3 days (more than 26 hours)."]


def test_where_backups_are_configured_the_first_one_is_awaited(settings: Any) -> None:
    settings.OVEN_PING_BACKUP_URL = "https://hc.example/uuid"
    rows = MigrationRecorder.Migration.objects
    rows.update(applied=timezone.now())
    assert texts() == []
    rows.update(applied=timezone.now() - timedelta(hours=30))
    assert texts() == ["There has been no good backup for 30 hours (more than 26 hours)."]


def test_it_can_be_turned_off(settings: Any) -> None:
    settings.OVEN_ALERT_BACKUP_HOURS = 0
    ago(27)
    assert texts() == []
