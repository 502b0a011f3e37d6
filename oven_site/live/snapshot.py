"""The state as the contract shows it: on `/status`, and on `/ws` for every reader."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings

from oven_site.live import progress
from oven_site.live.events import MIN_INTERVAL_S

STARTED = time.time()
_providers: dict[str, Callable[..., dict[str, Any]]] = {}
_frozen: list[Callable[[], list[dict[str, Any]]]] = []
_shared: dict[str, Any] = {"at": 0.0, "state": None}
_turn: asyncio.Lock | None = None


def provide(name: str, parts: Callable[..., dict[str, Any]]) -> None:
    """An app adds its part of the state: `parts(private)`, private for readers who may see other systems' ids."""
    _providers[name] = parts


def provide_frozen(listed: Callable[[], list[dict[str, Any]]]) -> None:
    _frozen.append(listed)


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
        merged.update(parts(private))
    return merged


def frozen() -> list[dict[str, Any]]:
    return [entry for listed in _frozen for entry in listed()]


def full() -> dict[str, Any]:
    """The first message on `/ws`."""
    return {**state(), "frozen": frozen(), "recentLogs": [_public(entry) for entry in progress.recent_log(50)]}


def _public(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "job"}


async def shared_state(changed: float, with_frozen: bool = False) -> dict[str, Any] | None:
    """The state as of `changed` (monotonic) or later; None when it is too early to make it anew.

    It is made at most five times a second however many readers there are.
    """
    global _turn
    _turn = _turn or asyncio.Lock()
    async with _turn:
        now = time.monotonic()
        if now - _shared["at"] >= MIN_INTERVAL_S:
            _shared.update(state=await sync_to_async(state)(), at=now)
        elif _shared["at"] < changed:
            return None
    if not with_frozen:
        return dict(_shared["state"])
    return {**_shared["state"], "frozen": await sync_to_async(frozen)()}
