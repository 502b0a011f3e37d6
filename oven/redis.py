"""The clients of Redis that a process has."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import redis
from django.conf import settings
from redis import asyncio as aioredis
from redis.backoff import NoBackoff
from redis.retry import Retry

PATIENCE_S = 1.0
_client: redis.Redis | None = None


def client() -> redis.Redis:
    """Return this process's client for facts that may be lost; it answers in text.

    Every call raises RedisError within about a second, so a server that hangs blocks no caller.
    """
    global _client
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=PATIENCE_S,
            socket_connect_timeout=PATIENCE_S,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
    return _client


@lru_cache(maxsize=8)
def patient_client(url: str) -> redis.Redis:
    """Return this process's client for RQ, which blocks for longer, and reads bytes."""
    return redis.Redis.from_url(url)


def async_client() -> Any:
    """Make a client for one event loop, which closes it."""
    return aioredis.from_url(settings.REDIS_URL)


def _forget() -> None:
    global _client
    _client = None


os.register_at_fork(after_in_child=_forget)  # a fork must not talk through its parent's connections
