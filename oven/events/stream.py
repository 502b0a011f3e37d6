"""The one stream of typed events that feeds the live page, `/ws` and waiting requests."""

from __future__ import annotations

import time
from typing import Any, Literal, NotRequired, TypedDict

from oven.events import publisher
from oven.types import JobInfo

MIN_INTERVAL_S = 0.2  # no more than five messages a second for one job or one reader
LIVE_GROUP = publisher.LIVE_GROUP
# Events whose whole content every reader may see.
PUBLIC = frozenset(
    {*("job.queued", "job.started", "job.progress", "job.ended"), *("frozen.changed", "tape.announced", "log")}
)
LOG_KEYS = ("time", "type", "icon", "msg")  # of an entry, as the contract has it

JobEventType = Literal["job.queued", "job.started", "job.progress", "job.ended"]
LogType = Literal["info", "success", "warn", "error", "capture", "queue", "cleanup"]
ICONS: dict[str, str] = {
    "info": "ℹ️",
    "success": "✅",
    "warn": "⚠️",
    "error": "❌",
    "capture": "📸",
    "queue": "📥",
    "cleanup": "🧹",
}


class JobView(TypedDict):
    """What every reader may know about a job."""

    kind: str
    id: str
    name: str
    state: str
    stage: str
    percent: int
    detail: str
    lane: str
    rank: int  # within its lane: lower goes first
    source: str
    attempt: int
    error_code: str
    error: str
    created: int  # epoch ms
    started: int | None
    ended: int | None
    requeued: bool  # another job does the same since
    facts: dict[str, Any]  # of its kind: sizes, pictures, links


class JobEvent(TypedDict):
    type: JobEventType
    seq: int  # rises by one on the live stream, 0 elsewhere; a reader that sees a gap fetches everything again
    at: int  # epoch ms
    job: JobView
    preview: NotRequired[str]  # base64 JPEG
    frames: NotRequired[list[int]]  # done, total


class FrozenEvent(TypedDict):
    type: Literal["frozen.changed"]
    seq: int
    at: int
    piece: str


class TapeEvent(TypedDict):
    type: Literal["tape.announced"]
    seq: int
    at: int
    code: str


class BulkEvent(TypedDict):
    type: Literal["bulk.changed"]
    seq: int
    at: int
    bulk: dict[str, Any]


class LogEntry(TypedDict):
    time: str  # ISO
    type: LogType
    icon: str
    msg: str
    job: NotRequired[str]  # id of the job that it is about; not on `/ws`


class LogEvent(TypedDict):
    type: Literal["log"]
    seq: int
    at: int
    entry: LogEntry


class VitalsEvent(TypedDict):
    type: Literal["vitals"]
    seq: int
    at: int
    vitals: dict[str, Any]  # workers, memory, disk, alerts: see oven.ops.health.system_status.Vitals


class MissedEvent(TypedDict):
    """Others before it could not be sent."""

    type: Literal["missed"]
    seq: int
    at: int


Event = MissedEvent | JobEvent | FrozenEvent | TapeEvent | BulkEvent | LogEvent | VitalsEvent


def job_group(kind: str, pk: int) -> str:
    return f"job.{kind}.{pk}"


def epoch_ms(moment: Any) -> int | None:
    return round(moment.timestamp() * 1000) if moment else None


def job_view(job: JobInfo) -> JobView:
    facts = getattr(job, "facts", None)
    return {
        "kind": job.kind,
        "id": job.public_id,
        "name": getattr(job, "title", str(job)),
        "state": str(job.state),
        "stage": job.stage,
        "percent": job.percent,
        "detail": job.detail,
        "lane": str(job.lane),
        "rank": job.rank,
        "source": job.source,
        "attempt": job.attempt,
        "error_code": job.error_code,
        "error": job.error_message,
        "created": epoch_ms(job.created_at) or 0,
        "started": epoch_ms(job.started_at),
        "ended": epoch_ms(job.ended_at),
        "requeued": job.requeued_at is not None,
        "facts": facts() if facts else {},
    }


def publish_job(type_: JobEventType, job: JobInfo, **extra: Any) -> None:
    groups = [LIVE_GROUP] if job.shown else []
    if type_ == "job.ended" or job.streamed:
        groups.append(job_group(job.kind, job.pk))
    if not groups:  # a number that nobody gets would look like something lost
        return
    publisher.publish({"type": type_, "job": job_view(job), **extra}, groups)


def publish_frozen(piece: str) -> None:
    publisher.publish({"type": "frozen.changed", "piece": piece}, [LIVE_GROUP])


def publish_bulk(bulk: dict[str, Any]) -> None:
    """`bulk`: see oven.jobs.bulk.view."""
    publisher.publish({"type": "bulk.changed", "bulk": bulk}, [LIVE_GROUP])


def publish_tape(code: str) -> None:
    publisher.publish({"type": "tape.announced", "code": code}, [LIVE_GROUP])


def publish_vitals(vitals: dict[str, Any]) -> None:
    publisher.publish({"type": "vitals", "vitals": vitals}, [LIVE_GROUP])


def log(type_: LogType, message: str, job: str = "") -> None:
    """A line for the activity log that every live page shows. `job`: the id of the job that it is about."""
    moment = time.time()
    entry: LogEntry = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment * 1000) % 1000:03d}Z",
        "type": type_,
        "icon": ICONS[type_],
        "msg": message,
    }
    if job:
        entry["job"] = job
    publisher.publish({"type": "log", "entry": entry}, [LIVE_GROUP], keep_log=True)
