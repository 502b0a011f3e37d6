"""The state as the contract shows it: on `/status`, and on `/ws` for every reader."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings

from oven.events import progress
from oven.events.stream import LOG_KEYS, MIN_INTERVAL_S
from oven.single_flight import FreshThreadFlight

T = TypeVar("T")
STARTED = time.time()
_providers: dict[str, Callable[..., dict[str, Any]]] = {}
_frozen: list[Callable[[], list[dict[str, Any]]]] = []
_page: list[Callable[[bool], str]] = []
_flights: dict[str, FreshThreadFlight[Any]] = {}


def provide(name: str, parts: Callable[..., dict[str, Any]]) -> None:
    """An app adds its part of the state: `parts(private)`, private for readers who may see other systems' ids."""
    _providers[name] = parts


def provide_frozen(listed: Callable[[], list[dict[str, Any]]]) -> None:
    _frozen.append(listed)


def provide_page(written: Callable[[bool], str]) -> None:
    """Who draws the live page says what its state is, as JSON: `written(public)`, public for whoever is not staff."""
    _page[:] = [written]


def page(public: bool) -> str:
    """The live page's state as JSON, made once for all who ask at the same time; "null" when there is no page."""
    return shared(f"page {public}", lambda: _page[0](public)) if _page else "null"


def version() -> str:
    return str(settings.VERSION)


def uptime_ms() -> int:
    return round((time.time() - STARTED) * 1000)


def state(private: bool = False) -> dict[str, Any]:
    """What /status answers. Times are epoch milliseconds, uptime is milliseconds."""
    merged: dict[str, Any] = {
        "version": version(),
        "serverStartTime": round(STARTED * 1000),
        "uptime": uptime_ms(),
    }
    for parts in _providers.values():
        for name, value in parts(private).items():
            merged[name] = merged[name] | value if isinstance(merged.get(name), dict) else value
    return merged


def frozen() -> list[dict[str, Any]]:
    return [entry for listed in _frozen for entry in listed()]


def full() -> dict[str, Any]:
    """The first message on `/ws`."""
    lines = [{name: entry[name] for name in LOG_KEYS} for entry in progress.recent_log(50)]
    return {**changes(with_frozen=True), "recentLogs": lines}


def changes(with_frozen: bool = False) -> dict[str, Any]:
    """A later message on `/ws`."""
    return {**state(), "frozen": frozen()} if with_frozen else state()


def shared(key: str, make: Callable[[], T]) -> T:
    """What `make` answers, made anew at most five times a second however many threads ask.

    It was always begun after the caller asked, so nothing that the caller knows of is missing from it. What `make`
    raises, all who wait get. `key` names the content and who may see it. Returned values are shared: do not change
    them; text or bytes are best, as then the writing is shared as well.
    """
    flight: FreshThreadFlight[T] = _flights.setdefault(key, FreshThreadFlight(MIN_INTERVAL_S))
    return flight.get(make)


def shared_json(key: str, make: Callable[[], object]) -> str:
    """Return what `make` answers as JSON; made and written once for all who ask at the same time."""
    return shared(key, lambda: json.dumps(make(), default=str))
