"""Redis, for facts that may be lost: a client that gives up soon, so that nobody waits for a queue that hangs."""

from __future__ import annotations

import os

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

PATIENCE_S = 1.0
_client: redis.Redis | None = None


def client() -> redis.Redis:
    """This process's client. Every call raises RedisError within about a second at the latest."""
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


def _forget() -> None:
    global _client
    _client = None


os.register_at_fork(after_in_child=_forget)  # a fork must not talk through its parent's connections
