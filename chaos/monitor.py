"""Watches, all the time, which jobs are active, and which run although no live worker has them."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connections
from django.utils import timezone

from oven.jobs import registry
from oven.jobs.states import ACTIVE, RUNNING
from oven.jobs.worker import is_dead

EVERY_S = 0.5
Run = tuple[str, int, int]  # kind, primary key, attempt


class Vigil:
    """`active` jobs at the last look; `orphans`: since when (monotonic) a run has had no live worker."""

    def __init__(self) -> None:
        self.active = 0
        self.looks = 0
        self.orphans: dict[Run, float] = {}
        self.longest_s = 0.0  # that a run has been an orphan, since `reset`
        self._from = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)

    def reset(self) -> None:
        """From now on only time that passes now counts: what broke has just been put right."""
        self._from, self.longest_s = time.monotonic(), 0.0

    def look_again(self, limit_s: float = 30.0) -> None:
        """Returns after a whole look that has begun since."""
        wanted, deadline = self.looks + 2, time.monotonic() + limit_s
        while self.looks < wanted and time.monotonic() < deadline:
            time.sleep(EVERY_S / 5)

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            try:
                self._look()
            except DatabaseError:  # it is what is broken at the moment
                connections.close_all()
        connections.close_all()

    def _look(self) -> None:
        stale = timezone.now() - timedelta(seconds=settings.OVEN_STALE_S)
        found: set[Run] = set()
        active = 0
        for kind in registry.kinds():
            rows = kind.model._default_manager.filter(state__in=ACTIVE)
            for pk, state, attempt, worker, beat in rows.values_list(
                "pk", "state", "attempt", "worker", "heartbeat_at"
            ):
                active += 1
                if state in RUNNING and (beat is None or beat < stale or is_dead(worker)):
                    found.add((kind.name, pk, attempt))
        now = time.monotonic()
        self.orphans = {run: self.orphans.get(run, now) for run in found}
        ages = (now - max(since, self._from) for since in self.orphans.values())
        self.longest_s = max([self.longest_s, *ages])
        self.active = active
        self.looks += 1
