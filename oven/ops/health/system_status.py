"""The state of workers, memory, disk and alerts, as the live page shows it."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any, TypedDict

from django.conf import settings
from django.db.models import Sum
from redis.exceptions import RedisError

from oven import redis
from oven.events import progress, stream
from oven.jobs import worker_heartbeat
from oven.ops.health import alerts, load
from oven.ops.health.alerts import Alert
from oven.ops.health.load import Part
from oven.ops.metrics import machine
from oven.ops.metrics.machine import Room
from oven.storage.models import Artifact
from oven.ttl_cache import Kept

KEY = "oven:vitals"
KEPT_S = 10  # the scheduler makes them anew every few seconds
REST_S = 30.0
STORED_S = 300.0


class WorkerView(TypedDict):
    """One worker process. `since` is epoch ms; sizes are MB, the browser's those of its whole process tree."""

    name: str
    pool: str
    lanes: list[str]
    job: str | None
    kind: str | None
    doing: str
    since: int | None
    browserAgeS: int | None
    browserMB: int | None
    restarts: int
    memoryMB: int
    jobs: int
    host: str


class MemoryView(Room):
    ovenMB: int


class DiskView(Room):
    filesMB: int | None


class Vitals(TypedDict):
    workers: list[WorkerView]
    memory: MemoryView
    disk: DiskView
    alerts: list[Alert]


# --- workers --------------------------------------------------------------------------------------------------------


def reports() -> dict[str, dict[str, str]]:
    """What every worker that is alive last said, by its identity. Raises RedisError."""
    client = redis.client()
    names: list[str] = sorted(client.smembers(worker_heartbeat.NAMES_KEY))  # type: ignore[arg-type]
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(worker_heartbeat.key(name))
    found = dict(zip(names, pipe.execute(), strict=True))
    if silent := [name for name, report in found.items() if "queues" not in report]:
        client.srem(worker_heartbeat.NAMES_KEY, *silent)
    return {name: report for name, report in found.items() if "queues" in report}


def pools(found: dict[str, dict[str, str]]) -> set[str]:
    """Pools with a worker that is alive."""
    return {queue.split(".")[0] for report in found.values() for queue in json.loads(report["queues"])}


def worker_views(found: dict[str, dict[str, str]]) -> list[WorkerView]:
    """Numbered within their pool by age."""
    counts: dict[str, int] = {}
    views = []
    for _, report in sorted(found.items(), key=lambda item: item[0].rsplit(":", 2)[::-1]):
        queues = json.loads(report["queues"])
        pool = queues[0].split(".")[0]
        counts[pool] = counts.get(pool, 0) + 1
        views.append(_view(f"{pool} {counts[pool]}", pool, queues, report))
    return sorted(views, key=lambda view: (view["pool"], int(view["name"].rsplit(" ", 1)[1])))


def _view(name: str, pool: str, queues: list[str], report: dict[str, str]) -> WorkerView:
    running = sorted(json.loads(report.get("running", "[]")), key=lambda entry: entry[3])
    kind, job, _, since = running[0] if running else (None, None, "", None)
    return {
        "name": name,
        "pool": pool,
        "lanes": [queue.split(".")[1] for queue in queues if queue.startswith(f"{pool}.")],
        "job": job,
        "kind": kind,
        "doing": _doing(running),
        "since": since,
        "browserAgeS": _number(report.get("browserAgeS")),
        "browserMB": _number(report.get("browserMB")),
        "restarts": _number(report.get("restarts")) or 0,
        "memoryMB": _number(report.get("memoryMB")) or 0,
        "jobs": _number(report.get("jobs")) or 0,
        "host": report["host"],
    }


def _doing(running: list[list[Any]]) -> str:
    """What it does, for people; empty when nothing."""
    if not running:
        return ""
    kind, job, title, _ = running[0]
    if len(running) > 1:
        return f"{title} and {len(running) - 1} more"
    step = progress.read(kind, [job]).get(job, {})
    stage = step.get("detail") or step.get("stage") or ""
    return f"{title}: {stage}" if stage else str(title)


def _number(text: str | None) -> int | None:
    return int(text) if text else None


# --- memory and disk ------------------------------------------------------------------------------------------------


def _stored() -> dict[str, int]:
    sums = Artifact.objects.order_by().values_list("store").annotate(Sum("bytes"))
    return dict.fromkeys(("art", "blobs"), 0) | dict(sums)


stored_bytes = Kept(_stored, STORED_S)  # by store; with a million files the sum takes a while


def _rest() -> int:
    here = platform.node()
    try:
        names = [name.rsplit(":", 2) for name in reports()]
    except RedisError:
        names = []
    return machine.rest_memory({int(pid) for host, pid, _ in names if host == here})


rest_memory = Kept(_rest, REST_S)


def _memory(workers: list[WorkerView]) -> MemoryView:
    """Oven's own: what the workers of this machine say of themselves, and the other processes."""
    here = [worker for worker in workers if worker["host"] == platform.node()]
    own = sum(worker["memoryMB"] + (worker["browserMB"] or 0) for worker in here)
    return {**machine.memory(), "ovenMB": own + rest_memory()}


def disk() -> Room:
    return machine.disk(Path(settings.OVEN_DATA))


# --- all of it ------------------------------------------------------------------------------------------------------


def build(parts: list[Part] | None = None) -> Vitals:
    """Anew. Without Redis there are no workers to be seen. Raises DatabaseError."""
    try:
        found = reports()
    except RedisError:
        found = {}
    parts = load.parts() if parts is None else parts
    workers = worker_views(found)
    memory, room = _memory(workers), disk()
    files = sum(stored_bytes().values()) >> 20
    facts = alerts.Facts(parts, pools(found), memory, room)
    return {
        "workers": workers,
        "memory": memory,
        "disk": {**room, "filesMB": files},
        "alerts": alerts.current(facts),
    }


def publish(vitals: Vitals) -> None:
    """Keeps them for those who ask, and sends them to those who listen. Raises RedisError."""
    redis.client().set(KEY, json.dumps(vitals), ex=KEPT_S)
    stream.publish_vitals(dict(vitals))


def current() -> dict[str, Any]:
    """As GET /live/vitals answers: the scheduler's newest, or made here when it is silent."""
    try:
        kept: Any = redis.client().get(KEY)
    except RedisError:
        kept = None
    return dict(json.loads(kept)) if kept else dict(build())
