"""What somebody should look at. `docs/operations.md` says what to do about each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypedDict

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from oven.jobs import registry
from oven.jobs.states import State
from oven.ops.health import load, traffic
from oven.ops.health.load import Part
from oven.ops.health.models import Minute
from oven.ops.health.samples import this_minute
from oven.ops.metrics.machine import Room
from oven.ttl_cache import Kept

SLOW_S = 15.0  # what changes slowly is looked at so often
STARTING_S = 10.0  # work may wait so long for workers that are only starting
OWN = ("queue", "running", "memory", "disk", "failures", "http_errors", "http_slow")


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


Check = Callable[[], "list[Alert]"]
_provided: dict[Check, tuple[str, ...]] = {}


def provide(check: Check, *codes: str) -> None:
    """Add an app's own alerts: a function that returns those that are raised, and the codes that they may have."""
    _provided[check] = codes


def codes() -> list[str]:
    """Return every code that an alert may have."""
    own = [*OWN, *(f"workers_{pool}" for pool in settings.POOLS)]
    return [*own, *(code for found in _provided.values() for code in found)]


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
    failed = max(0, sums["failed"] - _requeued_failures())
    ended = sums["done"] + failed
    percent = 100 * failed / max(1, ended)
    if ended < settings.OVEN_ALERT_FAILURES_LEAST or percent <= settings.OVEN_ALERT_FAILURES_PERCENT:
        return []
    text = f"{percent:.0f} % of the jobs of the last hour failed ({sums['failed']} of {ended})."
    return [{"code": "failures", "level": "bad", "text": text}]


def _requeued_failures() -> int:
    """Return how many jobs failed in the last hour and have been requeued since."""
    hour = timezone.now() - timedelta(hours=1)
    rows = [kind.model._default_manager.filter(state=State.FAILED, ended_at__gt=hour) for kind in registry.kinds()]
    return sum(found.filter(requeued_at__isnull=False).count() for found in rows)


def http() -> list[Alert]:
    """Return alerts about the HTTP answers of the last minutes."""
    recent, least = traffic.recent(), settings.OVEN_ALERT_HTTP_LEAST
    found: list[Alert] = []
    percent = 100 * recent.errors / max(1, recent.answers)
    if recent.answers >= least and percent > settings.OVEN_ALERT_HTTP_PERCENT:
        text = f"{percent:.1f} % of the HTTP requests of the last 5 minutes were answered 5xx"
        found.append(
            {"code": "http_errors", "level": "warn", "text": f"{text} ({recent.errors} of {recent.answers})."}
        )
    if recent.timed >= least and recent.slow > (1 - traffic.PERCENTILE) * recent.timed:
        text = f"The slowest 5 % of HTTP requests take over {traffic.SLOW_S:g} s: {recent.slow} of {recent.timed}"
        found.append({"code": "http_slow", "level": "warn", "text": f"{text} in the last 5 minutes."})
    return found


def _slow() -> list[Alert]:
    found = [*failures(), *http()]
    for check in _provided:
        found += check()
    return found


slow = Kept(_slow, SLOW_S)
