"""HTTP answers of the last five minutes, as differences of the counters that `/metrics` shows.

The sums of earlier looks are kept beside the counters: both are lost together when Redis is wiped, and nothing is
forgotten when the scheduler restarts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from redis.exceptions import RedisError

from oven import redis
from oven.ops.metrics import counters

KEY = "oven:http:sums"
WINDOW_S = 300.0
KEPT_S = 2 * WINDOW_S  # sums older than this are of another time
SLOW_S = 10.0
PERCENTILE = 0.95
PROBES = frozenset({"/live", "/ready", "/pressure", "/health", "/metrics"})  # their 503 is an answer, not an error

_waiting: set[str] = set()


def waits(*routes: str) -> None:
    """Name an app's routes that answer when a job has ended: how long they take is up to the job."""
    _waiting.update(routes)


def waiting_routes() -> frozenset[str]:
    return frozenset(_waiting)


@dataclass(frozen=True, slots=True)
class Sums:
    """Answers, those of them with 5xx; answers whose time counts, those of them that took over SLOW_S."""

    answers: int = 0
    errors: int = 0
    timed: int = 0
    slow: int = 0

    def since(self, before: Sums) -> Sums:
        return Sums(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


def recent(now: float | None = None) -> Sums:
    """Return the sums of the last five minutes, or since the counters began; nothing without Redis.

    `now` is epoch seconds.
    """
    now = time.time() if now is None else now
    try:
        sums = _read()
        kept = _kept(now)
        before = [entry for entry in kept if now - entry[0] >= WINDOW_S][-1:] or kept[:1]
        difference = sums.since(before[0][1]) if before else Sums()
        if min(astuple(difference)) < 0:  # the counters were set back
            kept, difference = [], Sums()
        _keep([*(entry for entry in kept if not before or entry[0] >= before[0][0]), (now, sums)])
    except RedisError:
        return Sums()
    return difference


def _read() -> Sums:
    """Raises RedisError."""
    answers = errors = timed = slow = 0
    for (_, route, status), count in counters.read("oven_http_requests").items():
        if route not in PROBES:
            answers += count
            errors += count if str(status).startswith("5") else 0
    bounds = counters.HISTOGRAMS["oven_http_request_seconds"][2]
    for (_, route, bucket), count in counters.read("oven_http_request_seconds").items():
        if isinstance(bucket, int) and route not in PROBES | _waiting:
            timed += count
            slow += count if bucket > bounds.index(SLOW_S) else 0
    return Sums(answers, errors, timed, slow)


def _kept(now: float) -> list[tuple[float, Sums]]:
    """Return the sums of earlier looks, the oldest first. Raises RedisError."""
    text = redis.client().get(KEY)
    entries = json.loads(text) if text else []
    return [(at, Sums(*sums)) for at, *sums in entries if now - KEPT_S <= at <= now]


def _keep(entries: Iterable[tuple[float, Sums]]) -> None:
    """Raises RedisError."""
    text = json.dumps([[at, *astuple(sums)] for at, sums in entries])
    redis.client().set(KEY, text, ex=round(KEPT_S))
