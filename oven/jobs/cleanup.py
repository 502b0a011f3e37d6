"""What the light worker does regularly: each kind's periodic work, and deleting what has expired."""

from __future__ import annotations

from collections.abc import Callable

from oven.jobs import registry, scratch

Cleanup = Callable[[], dict[str, int]]
_more: list[Cleanup] = []


def register(cleanup: Cleanup) -> None:
    """Register what is cleaned up besides scratch and each kind's own. `cleanup` returns counts by name."""
    _more.append(cleanup)


def run_periodic() -> None:
    """Run the periodic work of every kind. Called every few seconds."""
    for kind in registry.kinds():
        kind.periodic()


def run() -> dict[str, int]:
    """Clean up; return what was deleted, by name. Safe to run at any time, by several at once."""
    cleared = {"scratch": scratch.sweep()}
    for cleanup in (*(kind.cleanup for kind in registry.kinds()), *_more):
        cleared.update(cleanup())
    return cleared
