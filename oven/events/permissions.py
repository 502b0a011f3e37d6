"""Who may watch: looked up once for all sockets of a user, and again after a while."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import DatabaseError

PERMISSION = "jobs.watch"
KEPT_S = 10.0
MAX_KEPT = 10_000
_known: dict[Any, tuple[float, bool]] = {}  # user: when looked up (monotonic), whether they may
_looks: dict[tuple[asyncio.AbstractEventLoop, Any], asyncio.Future[bool]] = {}


async def may_watch(user: Any, anew: bool = False) -> bool:
    """Whether the user with this primary key (None: nobody) may watch: as of ten seconds ago, or `anew`."""
    if user is None:
        return False
    at, allowed = _known.get(user, (0.0, False))
    if at and not anew and time.monotonic() - at <= KEPT_S:
        return allowed
    key = (asyncio.get_running_loop(), user)
    if key not in _looks:
        _looks[key] = asyncio.ensure_future(_look(user))
        _looks[key].add_done_callback(lambda _: _looks.pop(key, None))
    return await asyncio.shield(_looks[key])


async def _look(user: Any) -> bool:
    try:
        allowed = await sync_to_async(_has_permission)(user)
    except DatabaseError:  # the next look will tell
        return _known.get(user, (0.0, False))[1]
    if len(_known) >= MAX_KEPT:
        _known.clear()
    _known[user] = (time.monotonic(), allowed)
    return allowed


def _has_permission(user: Any) -> bool:
    found = get_user_model()._default_manager.filter(pk=user, is_active=True, is_staff=True).first()
    return found is not None and found.has_perm(PERMISSION)


def forget() -> None:
    """Looks everybody up again."""
    _known.clear()
