"""Runs of backups: what is kept, who is notified, and the alert when the last good one is too old."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from oven.ops.backup.models import BackupRun
from oven.ops.health.alerts import Alert
from oven.ops.health.notify import ways

PROBLEM_CHARS = 300
Warn = Callable[[str], None]


@contextlib.contextmanager
def recorded(warn: Warn) -> Iterator[None]:
    """Keep a row of a run, and ping OVEN_PING_BACKUP_URL at its start and its end.

    A run that raises is a failure. What goes wrong here goes to `warn`, and is no failure of the backup.
    """
    started = timezone.now()
    _ping("start", "", warn)
    try:
        yield
    except BaseException as error:
        problem = str(error) or type(error).__name__
        _keep(started, problem, warn)
        _ping("fail", problem, warn)
        raise
    _keep(started, "", warn)
    _ping("", "", warn)


def _keep(started: datetime, problem: str, warn: Warn) -> None:
    fields = {"ended_at": timezone.now(), "good": not problem, "problem": problem[:PROBLEM_CHARS]}
    try:
        BackupRun.objects.create(started_at=started, **fields)
    except DatabaseError as error:
        warn(f"The run could not be noted in the database: {error}")


def _ping(signal: ways.Signal, body: str, warn: Warn) -> None:
    if not settings.OVEN_PING_BACKUP_URL:
        return
    try:
        ways.ping(settings.OVEN_PING_BACKUP_URL, signal, body)
    except ways.NotSent as problem:
        warn(f"OVEN_PING_BACKUP_URL was not pinged: {problem}")


def alerts() -> list[Alert]:
    """Return an alert when the last good backup is too old. Where backups were never taken nor configured: none."""
    hours = settings.OVEN_ALERT_BACKUP_HOURS
    since = _waiting_since()
    if not hours or since is None:
        return []
    age = timezone.now() - since
    if age <= timedelta(hours=hours):
        return []
    past = f"{age / timedelta(hours=1):.0f} hours" if age < timedelta(days=3) else f"{age.days} days"
    taken = BackupRun.objects.filter(good=True).exists()
    what = f"The last good backup is {past} old" if taken else f"There has been no good backup for {past}"
    return [{"code": "backup_old", "level": "warn", "text": f"{what} (more than {hours:g} hours)."}]


def _waiting_since() -> datetime | None:
    """Return the time of the last good backup; else when the first was tried, or Oven was set up; else None."""
    last_good = BackupRun.objects.filter(good=True).first()
    if last_good:
        return last_good.started_at
    first_tried = BackupRun.objects.last()
    if first_tried:
        return first_tried.started_at
    if not settings.OVEN_PING_BACKUP_URL:
        return None
    set_up = MigrationRecorder.Migration.objects.order_by("applied").first()
    return set_up.applied if set_up else None
