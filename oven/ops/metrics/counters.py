"""Counts of what happens, of all processes together: kept in Redis, gathered here for a second before they go there.

Nothing here raises, and nothing waits for Redis but `flush`. A Redis that is wiped resets the counters, which readers
of counters know how to take.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import threading
from bisect import bisect_left
from collections import Counter

from redis.exceptions import RedisError, TimeoutError

from oven import redis
from oven.types import JobInfo

log = logging.getLogger(__name__)
KEY = "oven:metrics:"
GATHER_S = 1.0
MOST_PENDING = 10_000  # different ones; more than that can only be a mistake

# Upper bounds in seconds.
SPAN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0)

# Name: what it counts, and its labels.
COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "oven_jobs": ("Jobs that ended.", ("kind", "outcome", "code")),
    "oven_job_retries": ("Attempts that failed and were put back to be tried again.", ("kind", "code")),
    "oven_cache_lookups": ("Wishes by what they met: hit (finished), joined (under way), miss.", ("kind", "result")),
    "oven_browser_restarts": ("Browsers that were replaced by a fresh one.", ()),
    "oven_callbacks": ("Tries to deliver a callback.", ("outcome",)),
    "oven_http_requests": ("HTTP requests.", ("method", "route", "status")),
}
HISTOGRAMS: dict[str, tuple[str, tuple[str, ...], tuple[float, ...]]] = {
    "oven_job_span_seconds": ("Seconds that a stage of a job took.", ("kind", "span"), SPAN_BUCKETS),
    "oven_http_request_seconds": ("Seconds until an answer began.", ("method", "route"), HTTP_BUCKETS),
}


class _Pending:
    """What has not gone to Redis yet. Keys are (name, field)."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts: Counter[tuple[str, str]] = Counter()
        self.timer: threading.Timer | None = None

    def add(self, additions: dict[tuple[str, str], int]) -> None:
        with self.lock:
            if len(self.counts) < MOST_PENDING:
                self.counts.update(additions)
            if self.timer is None:
                self.timer = threading.Timer(GATHER_S, flush)
                self.timer.daemon = True
                self.timer.start()

    def take(self) -> Counter[tuple[str, str]]:
        with self.lock:
            counts, self.counts = self.counts, Counter()
            if self.timer is not None:
                self.timer.cancel()
            self.timer = None
        return counts


_pending = _Pending()


def _start_afresh() -> None:
    """What the parent has counted is the parent's to send."""
    global _pending
    _pending = _Pending()


os.register_at_fork(after_in_child=_start_afresh)


def count(name: str, *labels: str, by: int = 1) -> None:
    """One of COUNTERS goes up; labels in the order of its table."""
    _pending.add({(name, json.dumps(labels)): by})


def observe(name: str, seconds: float, *labels: str) -> None:
    """A measured time for one of HISTOGRAMS. Kept by bucket (not summed up), with their sum in microseconds."""
    bucket = bisect_left(HISTOGRAMS[name][2], seconds)
    field = json.dumps([*labels, bucket])
    _pending.add({(name, field): 1, (name, json.dumps([*labels, "sum"])): round(seconds * 1e6)})


def job_ended(job: JobInfo) -> None:
    """A job of any kind has ended, for good."""
    count("oven_jobs", job.kind, str(job.state), job.error_code)
    for span, ms in job.spans.items():
        observe("oven_job_span_seconds", ms / 1000, job.kind, span)
    if job.started_at and job.ended_at:
        observe("oven_job_span_seconds", (job.ended_at - job.started_at).total_seconds(), job.kind, "all")


def flush() -> None:
    """Sends what has been gathered. What certainly did not arrive is kept for the next time."""
    counts = _pending.take()
    if not counts:
        return
    try:
        pipe = redis.client().pipeline()
        for (name, field), by in counts.items():
            pipe.hincrby(KEY + name, field, by)
        pipe.execute()
    except TimeoutError:  # it may have arrived: better too few than twice
        log.debug("counts lost: the queue does not answer")
    except RedisError as error:
        log.debug("counts kept for later: %s", error)
        with _pending.lock:
            if len(_pending.counts) < MOST_PENDING:
                _pending.counts.update(counts)


atexit.register(flush)


def read(name: str) -> dict[tuple[str | int, ...], int]:
    """All values of one of the tables above, by labels (a histogram's end with its bucket, or "sum").

    Raises RedisError.
    """
    rows = redis.client().hgetall(KEY + name)
    return {tuple(json.loads(field)): int(value) for field, value in rows.items()}
