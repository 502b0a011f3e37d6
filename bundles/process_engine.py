"""This worker process's bundle engine."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.node import NodeOptions
from bundles.idle_timeout import IdleClose

_engine: Engine | None = None
idle = IdleClose(lambda: _engine.node.close() if _engine else None)  # `idle.busy()` is around its use


def engine() -> Engine:
    """Return this process's engine; it is started at first use."""
    global _engine
    if _engine is None:
        _engine = Engine(options())
    return _engine


def options(cache: Path | None = None) -> EngineOptions:
    node = NodeOptions(executable=settings.OVEN_NODE)
    place = cache or Path(settings.OVEN_DATA) / "cache" / "bundles"
    return EngineOptions(cache=place, node=node, keep_cores=settings.OVEN_BUNDLE_CORES)


def close_engine() -> None:
    global _engine
    found, _engine = _engine, None
    idle.stop()
    if found is not None:
        found.close()
