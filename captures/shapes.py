"""The contract's JSON shapes of grabs: /grab-status, /status, /ws, /api/frozen."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from captures.engine.spec import PREVIEW_SIDE
from captures.models import FrozenPiece, Grab
from oven_site.jobs.states import ENDED, RUNNING, WAITING, Lane, State
from oven_site.live import progress
from oven_site.live.events import epoch_ms

RECENT = 20
DEFAULT_WAIT_MS = 30_000
IDLE_PROGRESS: dict[str, Any] = {
    "piece": None,
    "format": None,
    "stage": None,
    "stageDetail": None,
    "framesCaptured": 0,
    "framesTotal": 0,
    "percent": 0,
    "previewFrame": None,
    "previewWidth": None,
    "previewHeight": None,
}
_STATUS = {
    State.QUEUED: "queued",
    State.RETRYING: "queued",
    State.COMPLETE: "complete",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}


def contract_status(grab: Grab, stage: str = "") -> str:
    if grab.error_code == "timeout" and grab.state == State.FAILED:
        return "timeout"
    if grab.state in RUNNING:
        return "encoding" if stage in ("encoding", "uploading") else "capturing"
    return _STATUS[State(grab.state)]


def grab_record(grab: Grab, stage: str = "") -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": grab.public_id,
        "piece": grab.piece,
        "format": grab.format,
        "status": contract_status(grab, stage or grab.stage),
        "startTime": epoch_ms(grab.created_at),
        "captureKey": grab.capture_key,
        "gitVersion": settings.VERSION,
        "dimensions": {"width": grab.out_width, "height": grab.out_height},
        "source": grab.source,
        "keepId": grab.keep_id or None,
    }
    if grab.state in ENDED:
        record["completedAt"] = epoch_ms(grab.ended_at)
        record["duration"] = grab.duration_ms
    if grab.artifact:
        record["size"] = grab.artifact.bytes
        record["cdnUrl"] = grab.cdn_url
    if grab.error_message:
        record["error"] = grab.error_message
    return record


def progress_record(grab: Grab, live: dict[str, Any]) -> dict[str, Any]:
    return {
        "grabId": grab.public_id,
        "piece": grab.piece,
        "format": grab.format,
        "stage": live["stage"],
        "stageDetail": live["detail"],
        "framesCaptured": live["frames"][0],
        "framesTotal": live["frames"][1],
        "percent": live["percent"],
        "previewFrame": live["preview"] or None,
        "previewWidth": PREVIEW_SIDE if live["preview"] else None,
        "previewHeight": PREVIEW_SIDE if live["preview"] else None,
    }


def waiting_in_order() -> list[Grab]:
    """The queue as it will be served: by lane, then by age."""
    waiting = Grab.objects.filter(state__in=WAITING).order_by("id")[: settings.OVEN_QUEUE_CEILING]
    order = {lane: rank for rank, lane in enumerate(Lane.values)}
    return sorted(waiting, key=lambda grab: (order[grab.lane], grab.pk))


def mean_duration_ms() -> int:
    """Of the last ten good captures, from their start (waiting does not count)."""
    rows = Grab.objects.filter(state=State.COMPLETE).order_by("-id").values_list("started_at", "ended_at")[:10]
    spans = [(end - start).total_seconds() * 1000 for start, end in rows if start and end]
    return round(sum(spans) / len(spans)) if spans else DEFAULT_WAIT_MS


def estimated_wait_ms(position: int, workers: int, mean_ms: int | None = None) -> int:
    mean_ms = mean_duration_ms() if mean_ms is None else mean_ms
    return mean_ms * -(-position // max(1, workers))


def workers() -> int:
    """Capture workers that are alive."""
    from oven_site.jobs.worker import workers_of

    try:
        return max(1, workers_of("capture"))
    except Exception:  # the count only shapes an estimate
        return 1


def queue_records(waiting: list[Grab], count: int) -> list[dict[str, Any]]:
    mean = mean_duration_ms() if waiting else 0
    return [
        {
            "position": position,
            "piece": grab.piece,
            "format": grab.format,
            "addedAt": epoch_ms(grab.created_at),
            "estimatedWait": estimated_wait_ms(position, count, mean),
            "id": grab.public_id,
            "lane": grab.lane,
        }
        for position, grab in enumerate(waiting, 1)
    ]


def with_artifacts(grabs: QuerySet[Grab]) -> QuerySet[Grab]:
    return grabs.select_related("artifact")


def grab_status() -> dict[str, Any]:
    """The whole of /grab-status."""
    running = list(with_artifacts(Grab.objects.filter(state__in=RUNNING)).order_by("id"))
    waiting = waiting_in_order()
    shown = {grab.pk for grab in [*running, *waiting]}  # one that ends in this very moment is in one place only
    recent = with_artifacts(Grab.objects.filter(state__in=ENDED)).order_by("-ended_at")[:RECENT]
    live = progress.read("grab", [grab.public_id for grab in running])
    by_id = {g.public_id: progress_record(g, live[g.public_id]) for g in running if g.public_id in live}
    count = workers()
    return {
        "active": [grab_record(g, live.get(g.public_id, {}).get("stage", "")) for g in running]
        + [grab_record(g) for g in waiting],
        "recent": [grab_record(g) for g in recent if g.pk not in shown],
        "queue": queue_records(waiting, count),
        "progress": next(iter(by_id.values()), IDLE_PROGRESS),
        "grabProgress": by_id,
        "concurrency": {"active": len(running), "max": count, "queueDepth": len(waiting)},
    }


def status_parts() -> dict[str, Any]:
    """What /status and /ws carry of grabs."""
    status = grab_status()
    grabs = {"active": status["active"], "recent": status["recent"], "queue": status["queue"], "ipfsThumbs": {}}
    return {"grabs": grabs, "grabProgress": status["grabProgress"], "concurrency": status["concurrency"]}


def frozen_record(entry: FrozenPiece) -> dict[str, Any]:
    record: dict[str, Any] = {
        "piece": entry.piece,
        "attempts": entry.attempts,
        "firstDetected": epoch_ms(entry.first_detected),
        "lastAttempt": epoch_ms(entry.last_attempt),
        "error": entry.error,
    }
    if entry.preview:
        record["previewUrl"] = entry.preview_url
    return record


def frozen_list() -> list[dict[str, Any]]:
    return [frozen_record(entry) for entry in FrozenPiece.objects.order_by("-last_attempt")[:100]]
