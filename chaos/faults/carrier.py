"""The queue's server: wiped, paused, stopped, full."""

from __future__ import annotations

import contextlib
import time

from redis.exceptions import RedisError

from chaos.faults.base import Ground
from chaos.instance import until
from oven.jobs import queue

FLUSH_EVERY_S = 1.5
LITTLE_MEMORY = "1mb"  # less than it has in use: every write is refused
OPEN_LIMIT_S = 20.0


def flush(ground: Ground, seconds: float) -> None:
    for _ in ground.during(seconds, FLUSH_EVERY_S):
        with contextlib.suppress(RedisError):
            queue.connection().flushall()
            ground.notes["flushed"] += 1


def pause(ground: Ground, seconds: float) -> None:
    queue.connection().client_pause(int(seconds * 1000), all=True)
    ground.notes["paused s"] += round(seconds)
    time.sleep(seconds)


def freeze(ground: Ground, seconds: float) -> None:
    stopped = ground.instance.freeze("valkey")
    ground.notes["stopped s"] += round(seconds)
    try:
        time.sleep(seconds)
    finally:
        ground.instance.thaw(stopped)


def full(ground: Ground, seconds: float) -> None:
    _limit_memory(LITTLE_MEMORY)
    ground.notes["full s"] += round(seconds)
    try:
        time.sleep(seconds)
    finally:
        until(lambda: _limit_memory("0"), OPEN_LIMIT_S)


def _limit_memory(limit: str) -> bool:
    try:
        return bool(queue.connection().config_set("maxmemory", limit))
    except RedisError:
        return False
