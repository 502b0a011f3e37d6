"""Steering many grabs at once."""

from __future__ import annotations

from collections.abc import Iterable

from captures.models import Grab
from oven_site.jobs import lifecycle, registry
from oven_site.jobs.states import ACTIVE, WAITING
from oven_site.jobs.sweep import recover_lost
from oven_site.live import events


def cancel_all(grabs: Iterable[Grab]) -> int:
    """Cancels what can still be cancelled; returns how many."""
    cancelled = 0
    for grab in grabs:
        try:
            lifecycle.cancel(grab)
        except lifecycle.StateMismatch:
            continue
        cancelled += 1
    return cancelled


def clear() -> dict[str, int]:
    """Cancels everything: what ran, and what waited."""
    waiting = cancel_all(Grab.objects.filter(state__in=WAITING))
    running = cancel_all(Grab.objects.filter(state__in=ACTIVE))
    events.log("cleanup", f"Cleared: {running} running, {waiting} waiting")
    return {"cleared": running, "queueCleared": waiting}


def clean_up() -> dict[str, int]:
    """Recovers grabs whose worker has gone."""
    cleaned = recover_lost(registry.get("grab"))
    return {"cleaned": cleaned, "remaining": Grab.objects.filter(state__in=ACTIVE).count()}
