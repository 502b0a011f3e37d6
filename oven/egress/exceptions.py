"""Which exceptions count at this moment. Asked for refused addresses only, and read at most every few seconds."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta

from django.db import Error, connection
from django.utils import timezone

from oven.egress.models import EgressException, matches

FRESH_S = 5.0  # a row that is made, changed or deleted counts after so long at the latest
NOTE_EVERY = timedelta(minutes=1)
Row = tuple[int, str, datetime]

log = logging.getLogger(__name__)
_kept: tuple[float, list[Row]] = (0.0, [])
_lock = threading.Lock()


def granted(url: str) -> bool:
    """Whether a row that has not expired covers the URL. A list that cannot be read grants nothing."""
    try:
        return any(_use(row) for row in _rows() if row[2] > timezone.now() and matches(row[1], url))
    except (Error, RuntimeError) as error:  # no database, none set up, or (in tests) none wanted
        log.debug("exceptions cannot be read: %s", error)
        return False
    finally:
        _let_go()


def forget() -> None:
    """The next look reads the rows anew."""
    global _kept
    with _lock:
        _kept = (0.0, [])


def _rows() -> list[Row]:
    global _kept
    with _lock:
        read_at, rows = _kept
        if not read_at or time.monotonic() - read_at > FRESH_S:
            found = EgressException.objects.filter(expires_at__gt=timezone.now())
            rows = list(found.values_list("pk", "pattern", "expires_at"))
            _kept = (time.monotonic(), rows)
        return rows


def _use(row: Row) -> bool:
    """Notes that an exception was needed, so that those that are not can be found."""
    now = timezone.now()
    rows = EgressException.objects.filter(pk=row[0])
    if rows.exclude(used_at__gt=now - NOTE_EVERY).update(used_at=now):
        log.info("the exception for %s was used", row[1])
    return True


def _let_go() -> None:
    """Threads that only decide keep no connection open."""
    if threading.current_thread() is not threading.main_thread() and not connection.in_atomic_block:
        connection.close()
