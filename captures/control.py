"""Steering many grabs at once."""

from __future__ import annotations

import contextlib

from captures.models import Grab
from oven.events import stream
from oven.jobs import lifecycle, registry
from oven.jobs.reconcile import recover_lost
from oven.jobs.states import ACTIVE


def clear() -> dict[str, int]:
    """Cancel everything: what runs, and what waits."""
    waiting = lifecycle.cancel_waiting(Grab.objects.all())
    running = 0
    for grab in Grab.objects.filter(state__in=ACTIVE):
        with contextlib.suppress(lifecycle.StateMismatch):
            lifecycle.cancel(grab)
            running += 1
    stream.log("cleanup", f"Cleared: {running} running, {waiting} waiting")
    return {"cleared": running, "queueCleared": waiting}


def clean_up() -> dict[str, int]:
    """Recovers grabs whose worker has gone."""
    cleaned = recover_lost(registry.get("grab"))
    return {"cleaned": cleaned, "remaining": Grab.objects.filter(state__in=ACTIVE).count()}
