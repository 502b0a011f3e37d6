"""What somebody should look at. `docs/operations.md` says what to do about each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypedDict

from django.conf import settings
from django.db.models import Sum
from django.utils.module_loading import import_string

from oven_site.health import carrier, load
from oven_site.health.kept import Kept
from oven_site.health.load import Part
from oven_site.health.machine import Room
from oven_site.health.models import Minute
from oven_site.health.samples import this_minute
from oven_site.jobs import registry
from oven_site.live import events

SLOW_S = 15.0  # what changes slowly is looked at so often
STARTING_S = 10.0  # work may wait so long for workers that are only starting
OVER_S = 30.0  # an alert that was not seen for so long is over
KEY = "oven:alerts"


class Alert(TypedDict):
    code: str
    level: Literal["warn", "bad"]
    text: str  # a sentence with the figure


@dataclass(frozen=True, slots=True)
class Facts:
    """What the alerts of the service itself are about. `pools`: those that have a worker that is alive."""

    parts: list[Part]
    pools: set[str]
    memory: Room
    disk: Room


_provided: list[str] = []


def provide(path: str) -> None:
    """An app adds its own: the dotted path of a function without arguments that returns alerts."""
    if path not in _provided:
        _provided.append(path)


def current(facts: Facts) -> list[Alert]:
    """Raises DatabaseError."""
    found = [*_queue(facts), *_running(facts), *_workers(facts), *full(facts.memory, facts.disk), *slow()]
    return sorted(found, key=lambda alert: alert["level"])  # bad before warn


def _queue(facts: Facts) -> Iterable[Alert]:
    most = settings.OVEN_ALERT_QUEUE
    count = sum(load.waiting(facts.parts).values())
    if count > most:
        yield {"code": "queue", "level": "warn", "text": f"{count} jobs are waiting (more than {most})."}


def _running(facts: Facts) -> Iterable[Alert]:
    most = settings.OVEN_ALERT_RUNNING_S
    late = [part for part in facts.parts if not part.waiting and part.oldest_s > most]
    for part in sorted(late, key=lambda part: -part.oldest_s)[:1]:
        text = f"A {part.kind} has been running for {part.oldest_s:.0f} s (more than {most:g} s)."
        yield {"code": "running", "level": "warn", "text": text}


def _workers(facts: Facts) -> Iterable[Alert]:
    for pool in settings.POOLS:
        kinds = {kind.name for kind in registry.kinds() if kind.pool == pool}
        waits = [part for part in facts.parts if part.waiting and part.kind in kinds and part.oldest_s > STARTING_S]
        if waits and pool not in facts.pools:
            count = sum(part.count for part in waits)
            text = f"No {pool} worker is alive, and {_jobs(count)} for one."
            yield {"code": f"workers_{pool}", "level": "bad", "text": text}


def _jobs(count: int) -> str:
    return "one job waits" if count == 1 else f"{count} jobs wait"


def full(memory: Room, disk: Room) -> list[Alert]:
    """Memory and disk."""
    found: list[Alert] = []
    if memory["percent"] > settings.OVEN_ALERT_MEMORY_PERCENT:
        text = f"Memory is {memory['percent']:.0f} % full ({memory['usedMB']} of {memory['totalMB']} MB)."
        found.append({"code": "memory", "level": "bad", "text": text})
    if disk["percent"] > settings.OVEN_ALERT_DISK_PERCENT:
        text = f"The data disk is {disk['percent']:.0f} % full ({disk['usedMB']} of {disk['totalMB']} MB)."
        found.append({"code": "disk", "level": "bad", "text": text})
    return found


def failures() -> list[Alert]:
    """Of the jobs that ended in the last hour; those that were cancelled say nothing."""
    rows = Minute.objects.filter(at__gt=this_minute() - 60)
    sums = rows.aggregate(done=Sum("done", default=0), failed=Sum("failed", default=0))
    ended = sums["done"] + sums["failed"]
    percent = 100 * sums["failed"] / max(1, ended)
    if ended < settings.OVEN_ALERT_FAILURES_LEAST or percent <= settings.OVEN_ALERT_FAILURES_PERCENT:
        return []
    text = f"{percent:.0f} % of the jobs of the last hour failed ({sums['failed']} of {ended})."
    return [{"code": "failures", "level": "bad", "text": text}]


def _slow() -> list[Alert]:
    found = failures()
    for path in _provided:
        call: Callable[[], list[Alert]] = import_string(path)
        found += call()
    return found


slow = Kept(_slow, SLOW_S)


def note_changes(alerts: list[Alert], now: float | None = None) -> None:
    """Says in the activity log, once, what is new and what is over. For one process only. Raises RedisError."""
    now = time.time() if now is None else now
    redis = carrier.client()
    known = {code: json.loads(text) for code, text in redis.hgetall(KEY).items()}
    for alert in alerts:
        if alert["code"] not in known:
            events.log("error" if alert["level"] == "bad" else "warn", alert["text"])
        redis.hset(KEY, alert["code"], json.dumps({"text": alert["text"], "seen": now}))
    for code in set(known) - {alert["code"] for alert in alerts}:
        if now - known[code]["seen"] > OVER_S:
            redis.hdel(KEY, code)
            events.log("success", f"Over: {known[code]['text']}")
