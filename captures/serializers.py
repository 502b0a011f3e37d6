"""The contract's JSON shapes of grabs: /grab-status, /status, /ws, /api/frozen."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from captures.engine.spec import PREVIEW_SIDE
from captures.models import FrozenPiece, Grab
from oven.events import progress
from oven.events.stream import epoch_ms
from oven.jobs import queries, registry
from oven.jobs.states import ENDED, RUNNING, State

RECENT = 20
SHOWN = 100  # waiting ones
BY_STAFF = "frozen by staff"
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
    if grab.warnings:
        record["warnings"] = grab.warnings
    if grab.ipfs_cid:
        record["ipfsCid"] = grab.ipfs_cid
        record["ipfsUri"] = f"ipfs://{grab.ipfs_cid}"
    if grab.error_message:
        record["error"] = grab.error_message
    return record


def outputs(grab: Grab) -> list[dict[str, Any]]:
    """The files of a grab that was asked for several, as `POST /grab` answers them."""
    return [
        {
            "format": output.format,
            "width": output.width,
            "height": output.height,
            "url": output.artifact.url,
            "bytes": output.artifact.bytes,
            "sha256": output.artifact.sha256,
        }
        for output in grab.outputs.select_related("artifact")
        if output.artifact
    ]


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


def queue_records(waiting: list[Grab], count: int) -> list[dict[str, Any]]:
    return [
        {
            "position": position,
            "piece": grab.piece,
            "format": grab.format,
            "addedAt": epoch_ms(grab.created_at),
            "estimatedWait": wait,
            "id": grab.public_id,
            "lane": grab.lane,
        }
        for position, (grab, wait) in enumerate(
            zip(waiting, queries.waits(registry.get("grab"), waiting, count), strict=True), 1
        )
    ]


def grab_status() -> dict[str, Any]:
    """Return the whole of /grab-status. Of a long queue the first rows are shown; `queueDepth` counts all."""
    kind = registry.get("grab")
    running, waiting = queries.running(kind), queries.waiting(kind, SHOWN)
    shown = {grab.pk for grab in [*running, *waiting]}  # one that ends in this very moment is in one place only
    depth = len(waiting) if len(waiting) < SHOWN else queries.waiting_count(kind)
    recent = queries.recent(kind, RECENT)
    live = progress.read("grab", [grab.public_id for grab in running])
    by_id = {g.public_id: progress_record(g, live[g.public_id]) for g in running if g.public_id in live}
    count = queries.workers(kind)
    return {
        "active": [grab_record(g, live.get(g.public_id, {}).get("stage", "")) for g in running]
        + [grab_record(g) for g in waiting],
        "recent": [grab_record(g) for g in recent if g.pk not in shown],
        "queue": queue_records(waiting, count),
        "progress": next(iter(by_id.values()), IDLE_PROGRESS),
        "grabProgress": by_id,
        "concurrency": {"active": len(running), "max": count, "queueDepth": depth},
    }


def status_parts(private: bool = False) -> dict[str, Any]:
    """What /status and /ws carry of grabs."""
    status = grab_status()
    grabs = {name: status[name] for name in ("active", "recent", "queue")}
    return {"grabs": grabs, "grabProgress": status["grabProgress"], "concurrency": status["concurrency"]}


def frozen_record(entry: FrozenPiece) -> dict[str, Any]:
    record: dict[str, Any] = {
        "piece": entry.piece,
        "attempts": entry.attempts,
        "firstDetected": epoch_ms(entry.first_detected),
        "lastAttempt": epoch_ms(entry.last_attempt),
        "error": BY_STAFF if entry.reason == FrozenPiece.STAFF else entry.error,  # what staff write is for staff
    }
    if entry.preview:
        record["previewUrl"] = entry.preview_url
    return record


def frozen_list() -> list[dict[str, Any]]:
    return [frozen_record(entry) for entry in FrozenPiece.objects.order_by("-last_attempt")[:100]]
