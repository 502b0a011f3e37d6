"""The database: locked, restarted, and times in it that a jump of the clock has made wrong."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connections
from django.db.models import F

from chaos.faults.base import Ground
from chaos.faults.carrier import flush
from oven.jobs import registry
from oven.jobs.states import ACTIVE

FREE_S = 2.0  # between two locks
JUMP = timedelta(hours=1)
JUMP_EVERY_S = 3.0
TIMES = ("created_at", "heartbeat_at", "due_at", "started_at")


def no_sqlite(ground: Ground) -> str:
    return "the database is a PostgreSQL" if ground.postgres else ""


def no_postgres(ground: Ground) -> str:
    return "" if ground.postgres else "the database is SQLite (see --postgres)"


def lock(ground: Ground, seconds: float) -> None:
    """Held for as long as the strike lasts, in which nothing can be written."""
    connection = sqlite3.connect(settings.DATABASES["default"]["NAME"], timeout=30, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        ground.notes["locked s"] += round(seconds)
        time.sleep(seconds)
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def restart(ground: Ground, seconds: float) -> None:
    assert ground.postgres is not None
    for _ in ground.during(seconds, max(FREE_S, seconds / 3)):
        ground.postgres.restart()
        connections.close_all()
        ground.notes["restarted"] += 1


def clock(ground: Ground, seconds: float) -> None:
    """The clock itself cannot be set here. What a jump does to what is stored can be: forward, all times of active
    rows lie an hour back; back, they lie an hour ahead. The queue is wiped with it, so that the sweep has to act on
    those times.
    """
    for _ in ground.during(seconds, JUMP_EVERY_S):
        jump = ground.rng.choice((JUMP, -JUMP))
        with contextlib.suppress(DatabaseError):
            ground.notes[f"moved {'ahead' if jump > timedelta() else 'back'}"] += _move(jump)
        flush(ground, 0.1)


def _move(jump: timedelta) -> int:
    moved = 0
    for kind in registry.kinds():
        rows = kind.model._default_manager.filter(state__in=ACTIVE)
        moved += rows.update(**{name: F(name) + jump for name in TIMES})
    return moved
