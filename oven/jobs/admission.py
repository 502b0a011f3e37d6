"""Whether a new job may join the queue: its ceiling, and the limits of one anonymous client."""

from __future__ import annotations

import shutil
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from oven.jobs.models import Job
from oven.jobs.states import ACTIVE, WAITING
from oven.ttl_cache import Kept

ADVISORY_LOCK = 7_017_001  # any number that nothing else locks
RETRY_AFTER_S = 30
STORAGE_RETRY_AFTER_S = 600
DISK_LOOK_S = 5.0


class NotAdmitted(Exception):
    """A job that may not join the queue now. `status` is the HTTP status of the answer."""

    status = 503
    facts: dict[str, Any] = {}  # further members of the answer

    def __init__(self, message: str = "The queue is full.", retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(message)
        self.message, self.retry_after_s = message, retry_after_s


class QueueFull(NotAdmitted):
    """More waiting work than the ceiling allows."""


class DiskFull(NotAdmitted):
    """No room for what anonymous callers ask for."""


class ClientLimit(NotAdmitted):
    """One anonymous client has as much in the queue or in the store as it may."""

    status = 429


def admit(job: Job) -> None:
    """Check that a job may be inserted by the transaction that is open. Raises QueueFull or ClientLimit.

    What staff requested in bulk does not count: it waits behind whoever asks now.
    """
    if connection.vendor == "postgresql":  # SQLite's write transactions exclude one another anyway
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
    rows, ceiling = type(job)._default_manager, settings.OVEN_QUEUE_CEILING
    if job.client:
        ceiling -= min(settings.OVEN_QUEUE_RESERVED, ceiling // 2)
    waiting = rows.filter(state__in=WAITING, bulk=None).count()
    if waiting >= ceiling:
        raise QueueFull(f"The queue is full ({waiting} waiting).")
    if job.client:
        active = rows.filter(client=job.client, state__in=ACTIVE).count()
        if active >= settings.OVEN_CLIENT_JOBS:
            limit = settings.OVEN_CLIENT_JOBS
            raise ClientLimit(f"You have {active} {job.kind}s waiting or running; at most {limit} are allowed.")


def check_storage(model: type[Job], client: str) -> None:
    """Check that there is room for what an anonymous client asks for. Raises DiskFull or ClientLimit.

    `model` has an `artifact` and an `expires_at`.
    """
    if not client:
        return
    if (percent := _disk_percent()) > settings.OVEN_ALERT_DISK_PERCENT:
        raise DiskFull(f"The disk is {percent:.0f} % full: nothing new is made for now.", STORAGE_RETRY_AFTER_S)
    rows: Any = model._default_manager.filter(client=client, expires_at__gt=timezone.now())
    kept = rows.aggregate(kept=Sum("artifact__bytes", default=0))["kept"]
    if kept >= settings.OVEN_CLIENT_MB << 20:
        limit = settings.OVEN_CLIENT_MB
        text = f"{kept >> 20} MB of files are kept for you; at most {limit} MB are allowed."
        raise ClientLimit(text, STORAGE_RETRY_AFTER_S)


def _measure_disk() -> float:
    found = shutil.disk_usage(settings.OVEN_DATA)
    return 100 * found.used / max(1, found.used + found.free)


_disk_percent = Kept(_measure_disk, DISK_LOOK_S)
