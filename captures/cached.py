"""Cached pictures by address: most requests, so their query is composed once, and reads only what an answer needs."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from captures.models import Grab
from oven.ops.metrics import counters
from oven.storage.models import Artifact

FILE = ("id", "store", "key", "mime", "bytes", "sha256")
COLUMNS = ("public_id", "warnings", *(f"artifact__{name}" for name in FILE))
KEY, NOW = "the capture key", datetime(1970, 1, 1, tzinfo=UTC)  # stand for what differs between two requests


@dataclass(frozen=True, slots=True)
class CachedGrab:
    """What an answer needs of a finished grab."""

    public_id: str
    warnings: list[dict[str, Any]]
    artifact: Artifact


async def find(capture_key: str) -> CachedGrab | None:
    """Return the newest good capture of exactly this picture, as `Grab.objects.cached` does for one that is alone.

    It is looked up by threads that keep their database connection: a request's own thread opens one each time, which
    takes longer than the rest of the answer.
    """
    if not settings.OVEN_LOOKUP_THREADS:
        return await sync_to_async(_find)(capture_key)
    return await asyncio.get_running_loop().run_in_executor(_threads(), _find_again, capture_key)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.OVEN_LOOKUP_THREADS, thread_name_prefix="lookup")


def _find_again(capture_key: str) -> CachedGrab | None:
    """Look twice: the connection may have been lost since the last time."""
    try:
        return _find(capture_key)
    except (InterfaceError, OperationalError):
        connection.close()
        return _find(capture_key)


def _find(capture_key: str) -> CachedGrab | None:
    sql, params = _composed(connection.vendor)
    values = {KEY: capture_key, _adapted(NOW): _adapted(timezone.now())}
    with connection.cursor() as cursor:
        cursor.execute(sql, [values.get(param, param) for param in params])
        row = cursor.fetchone()
    if row is None:
        return None
    counters.count("oven_cache_lookups", "grab", "hit")
    public_id, warnings, *file = row
    found = json.loads(warnings) if isinstance(warnings, str) else warnings
    return CachedGrab(public_id, found, Artifact(**dict(zip(FILE, file, strict=True))))


@cache
def _composed(vendor: str) -> tuple[str, tuple[Any, ...]]:
    """Return SQL and parameters with KEY and NOW among them. To compose it takes ten times as long as to run it."""
    rows = Grab.objects.alone(KEY, NOW).values_list(*COLUMNS)[:1]
    sql, params = rows.query.sql_with_params()
    return sql, tuple(params)


def _adapted(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
