"""The threads of the scheduler that send notifications, one for each way: one that hangs holds up no other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings
from django.db import close_old_connections

from oven.ops.health.models import Notice
from oven.ops.health.notify import outbox, ways

log = logging.getLogger(__name__)
LOOK_S = 3.0  # between two looks at the outbox
FRESH_S = 30.0  # a look older than this says nothing
BODY_CHARS = 1000


@dataclass
class Looks:
    """What the last looks found, for the pings. Times are monotonic."""

    clock: Callable[[], float] = time.monotonic
    bad: list[str] = field(default_factory=list)
    looked_at: float = float("-inf")
    whole_at: float = float("-inf")

    def alerts_seen(self, bad: list[str]) -> None:
        """Note that the database answered, and which bad alerts are raised."""
        self.bad, self.looked_at = bad, self.clock()

    def whole(self) -> None:
        """Note that database, queue and workers were found well."""
        self.whole_at = self.clock()

    def fresh(self, moment: float) -> bool:
        return self.clock() - moment < FRESH_S + float(settings.OVEN_HEALTH_INTERVAL_S)


def ping(looks: Looks) -> None:
    """Ping OVEN_PING_URL once: a failure while there are bad alerts, a success after a whole look, else nothing.

    Raises NotSent.
    """
    if looks.bad and looks.fresh(looks.looked_at):
        ways.ping(settings.OVEN_PING_URL, "fail", f"{ways.host()}: {' '.join(looks.bad)}"[:BODY_CHARS])
    elif looks.fresh(looks.whole_at):
        ways.ping(settings.OVEN_PING_URL)


def start(stop: threading.Event, looks: Looks) -> list[threading.Thread]:
    """Start a thread for each way that is configured."""
    calls: list[tuple[str, Callable[[], object], float]] = []
    if Notice.Way.WEBHOOK in ways.configured():
        calls.append(("webhooks", outbox.send_webhooks, LOOK_S))
    if Notice.Way.MAIL in ways.configured():
        calls.append(("mail", outbox.send_mail, LOOK_S))
    if settings.OVEN_PING_URL:
        calls.append(("pings", lambda: ping(looks), settings.OVEN_PING_EVERY_S))
    threads = [threading.Thread(target=_repeat, args=(stop, *call), name=call[0], daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def _repeat(stop: threading.Event, name: str, call: Callable[[], object], every_s: float) -> None:
    """Call again and again, from the end of the first quiet time on. Nothing that goes wrong ends the thread."""
    delay = settings.OVEN_ALERT_QUIET_S
    while not stop.wait(delay):
        started = time.monotonic()
        close_old_connections()
        try:
            call()
        except ways.NotSent as problem:
            log.warning("%s: not sent: %s", name, problem)
        except Exception:
            log.exception("%s: will try again", name)
        delay = max(0.0, every_s - (time.monotonic() - started))
