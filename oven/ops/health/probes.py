"""Whether this process may be sent requests, and whether it should be sent more work."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from redis.exceptions import RedisError

from oven import redis
from oven.ops.health import alerts, load, system_status
from oven.ops.health.models import Probe
from oven.ops.metrics import machine
from oven.ttl_cache import Kept

LOOK_S = 2.0
WRITE_EVERY_S = 10.0
WRITE_LIMIT_S = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """`detail` is for anybody: no paths, hosts or texts of exceptions."""

    ok: bool
    detail: str


Checks = dict[str, Check]
Reports = dict[str, dict[str, str]]


# --- ready ----------------------------------------------------------------------------------------------------------


def checks() -> Checks:
    answers = _redis()
    workers = _workers() if answers.ok else _unknown()
    return {"database": _database(), "redis": answers, "migrations": _migrations(), **workers}


def _database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Check(False, "It does not answer.")
    if not written():
        written.forget()  # the next look tries again
        return Check(False, "It takes no writes: it is locked or full.")
    return Check(True, "It answers.")


def _write() -> bool:
    """Return whether a row can be changed within WRITE_LIMIT_S."""
    try:
        with _impatient():
            Probe.objects.update_or_create(pk=1, defaults={"at": timezone.now()})
    except DatabaseError:
        return False
    return True


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Do not wait for a lock for as long as others do."""
    limit_ms = round(WRITE_LIMIT_S * 1000)
    if connection.vendor != "sqlite":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {limit_ms}; SET LOCAL statement_timeout = {limit_ms}")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        usual_ms = int(cursor.fetchone()[0])
        cursor.execute(f"PRAGMA busy_timeout = {limit_ms}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual_ms}")


written = Kept(_write, WRITE_EVERY_S)


def _redis() -> Check:
    try:
        redis.client().ping()
    except RedisError:
        return Check(False, "It does not answer.")
    return Check(True, "It answers.")


_migrated = False  # once they are applied, they stay so while this process runs


def _migrations() -> Check:
    global _migrated
    if not _migrated:
        try:
            executor = MigrationExecutor(connection)
            missing = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        except DatabaseError:
            return Check(False, "The database does not answer.")
        if missing:
            return Check(False, f"{missing} are not applied.")
        _migrated = True
    return Check(True, "All are applied.")


def _wanted() -> list[str]:
    return list(settings.OVEN_READY_POOLS)


def _workers() -> Checks:
    try:
        reports = system_status.reports()
    except RedisError:
        return _unknown()
    return {**_pools(reports), "browser": _browser(reports), "browser_sandbox": _sandbox(reports)}


def _unknown() -> Checks:
    return {f"{pool}_workers": Check(False, "Not known.") for pool in _wanted()}


def _pools(reports: Reports) -> Checks:
    views = system_status.worker_views(reports)
    counts = {pool: sum(view["pool"] == pool for view in views) for pool in _wanted()}
    return {f"{pool}_workers": Check(count > 0, f"{count} alive.") for pool, count in counts.items()}


def _browser(reports: Reports) -> Check:
    """Whether a capture worker can start its browser; each that cannot tries again every few seconds."""
    said = [report["browser"] for report in reports.values() if "browser" in report]
    broken = said.count("broken")
    if not said:
        return Check(True, "No capture worker has one.")
    if not broken:
        return Check(True, "It starts.")
    needed = "capture" in _wanted()
    return Check(broken < len(said) or not needed, f"It does not start in {broken} of {len(said)} capture workers.")


def _sandbox(reports: Reports) -> Check:
    """For whoever runs Oven to know. Work is done either way."""
    said = [report["sandbox"] for report in reports.values() if "sandbox" in report]
    off = said.count("off")
    if not said:
        return Check(True, "No browser is running.")
    if not off:
        return Check(True, "On.")
    return Check(True, f"Off in {off} of {len(said)} browsers.")


@dataclass
class Readiness:
    """Looks at most every two seconds. Once ready, it takes two bad looks in a row to say otherwise."""

    look: Callable[[], Checks] = checks
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looked_at: float = float("-inf")
    _good: bool = False  # the last look
    _ready: bool = False
    _found: Checks = field(default_factory=dict)

    def __call__(self) -> tuple[bool, Checks]:
        with self._lock:
            if time.monotonic() - self._looked_at >= LOOK_S:
                self._found = self.look()
                good = all(check.ok for check in self._found.values())
                self._ready = good or (self._ready and self._good)
                self._good = good
                self._looked_at = time.monotonic()
            return self._ready, self._found


ready = Readiness()


def ready_answer() -> tuple[int, dict[str, Any]]:
    """HTTP status and body."""
    is_ready, found = ready()
    body: dict[str, Any] = {
        "ok": is_ready,
        "checks": {name: {"ok": check.ok, "detail": check.detail} for name, check in found.items()},
    }
    if not is_ready:
        body["error"] = "Not ready: " + ", ".join(name for name, check in found.items() if not check.ok) + "."
    return (200 if is_ready else 503), body


# --- pressure -------------------------------------------------------------------------------------------------------


def _pressed() -> str:
    """Why no more work should be sent; empty when there is no reason."""
    try:
        waiting = load.waiting(load.parts())
    except DatabaseError:
        return "The database does not answer."
    for kind, count in waiting.items():
        if count >= settings.OVEN_QUEUE_CEILING:
            return f"The queue is full: {count} {kind} jobs are waiting (at most {settings.OVEN_QUEUE_CEILING})."
    full = alerts.full(machine.memory(), system_status.disk())
    return full[0]["text"] if full else ""


pressed = Kept(_pressed, LOOK_S)


def pressure_answer() -> tuple[int, dict[str, Any]]:
    """HTTP status and body."""
    reason = pressed()
    if not reason:
        return 200, {"ok": True, "reason": ""}
    return 503, {"ok": False, "reason": reason, "error": reason}
