"""Messages that come twice, late, or in another order; also messages about rows that run or have ended."""

from __future__ import annotations

import time

from redis.exceptions import RedisError

from chaos.faults.base import Ground
from oven.jobs import queue, registry
from oven.jobs.states import Lane

EVERY_S = 0.5
HELD_S = 2.5
ROWS = 6  # of each kind, the newest: messages about them are sent again
KEYS = "rq:queue:"


def strike(ground: Ground, seconds: float) -> None:
    held: list[tuple[float, str, list[bytes]]] = []  # until when, list, messages
    for _ in ground.during(seconds, EVERY_S):
        try:
            _send_again(ground)
            for name in _queues():
                _double(ground, name)
                _reorder(ground, name)
            if ground.rng.random() < 0.5:
                held.append(_take(ground, ground.rng.choice(_queues())))
            held = _give_back(ground, held, time.monotonic())
        except RedisError:
            continue
    _give_back(ground, held, float("inf"))


def _queues() -> list[str]:
    return [f"{KEYS}{kind.queue_name(lane)}" for kind in registry.kinds() for lane in Lane.values]


def _send_again(ground: Ground) -> None:
    for kind in registry.kinds():
        for job in ground.rng.sample(found := list(kind.model._default_manager.order_by("-pk")[:ROWS]), len(found)):
            if queue.enqueue(job):
                ground.notes["sent again"] += 1


def _double(ground: Ground, name: str) -> None:
    if messages := _listed(name):
        ground.notes["doubled"] += len(messages)
        queue.connection().rpush(name, *messages)


def _reorder(ground: Ground, name: str) -> None:
    """What a worker takes meanwhile comes twice."""
    messages = _listed(name)
    if len(messages) < 2:
        return
    pipe = queue.connection().pipeline()
    pipe.delete(name)
    pipe.rpush(name, *ground.rng.sample(messages, len(messages)))
    pipe.execute()
    ground.notes["reordered"] += 1


def _take(ground: Ground, name: str) -> tuple[float, str, list[bytes]]:
    pipe = queue.connection().pipeline()
    pipe.lrange(name, 0, -1)
    pipe.delete(name)
    messages: list[bytes] = pipe.execute()[0]
    ground.notes["held back"] += len(messages)
    return time.monotonic() + HELD_S, name, messages


def _give_back(
    ground: Ground, held: list[tuple[float, str, list[bytes]]], now: float
) -> list[tuple[float, str, list[bytes]]]:
    """Those whose time has not come yet."""
    for until, name, messages in held:
        if until <= now and messages:
            queue.connection().rpush(name, *messages)
    return [entry for entry in held if entry[0] > now]


def _listed(name: str) -> list[bytes]:
    found: list[bytes] = queue.connection().lrange(name, 0, -1)  # type: ignore[assignment]
    return found
