"""What the scheduler does every few seconds: looks at everything, tells the live pages, writes the samples."""

from __future__ import annotations

import logging
import threading
import time

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from redis.exceptions import RedisError

from oven.ops.health import load, samples, system_status
from oven.ops.health.notify import outbox
from oven.ops.health.notify.changes import Changes
from oven.ops.health.notify.senders import Looks

log = logging.getLogger(__name__)
WRITE_EVERY = 5  # looks: how often the samples are written
PRUNE_S = 3600.0


class Watch:
    """`run` it in a thread of its own: a slow look holds up nobody."""

    def __init__(self) -> None:
        self.sampler = samples.Sampler()
        self.changes = Changes()
        self.looks = Looks()
        self._write_at = self._prune_at = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(settings.OVEN_HEALTH_INTERVAL_S):
            close_old_connections()
            try:
                self.round()
            except (DatabaseError, RedisError, OSError) as error:
                log.warning("no look at the vitals, will try again: %s", error)

    def round(self) -> None:
        parts = load.parts()
        self.sampler.look(load.waiting(parts))
        now = time.monotonic()
        if now >= self._write_at:
            self.sampler.write()
            self._write_at = now + WRITE_EVERY * settings.OVEN_HEALTH_INTERVAL_S
        if now >= self._prune_at:
            samples.prune()
            outbox.prune()
            self._prune_at = now + PRUNE_S
        found = system_status.build(parts)
        self.looks.alerts_seen(self.changes.note(found["alerts"]))
        system_status.publish(found)
        if set(settings.OVEN_READY_POOLS) <= {worker["pool"] for worker in found["workers"]}:
            self.looks.whole()
