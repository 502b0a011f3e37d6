"""What is cleared away now and then: every kind's own, scratch that nobody owns any more, what is past its time."""

from __future__ import annotations

from django.utils.module_loading import import_string

from oven.jobs import registry, scratch

RETENTION = "oven.ops.retention.scheduler.run"


def look_after() -> None:
    """What every kind wants to have looked after every few seconds."""
    for kind in registry.kinds():
        if kind.regular:
            import_string(kind.regular)()


def run() -> dict[str, int]:
    """Safe to run at any time, by several at once. Returns what was cleared, by name."""
    cleared = {"scratch": scratch.sweep()}
    for kind in registry.kinds():
        if kind.housekeep:
            cleared.update(import_string(kind.housekeep)())
    cleared.update(import_string(RETENTION)())
    return cleared
