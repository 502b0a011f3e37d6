"""The contract's JSON shapes of bakes: /status and /ws."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from bakes.models import Bake, IncomingTape, Site
from bakes.services import incoming
from oven.events import progress
from oven.events.stream import epoch_ms
from oven.jobs import queries, registry
from oven.jobs.states import ACTIVE, RUNNING, WAITING, State

RECENT = 20
SHOWN_ACTIVE = 100
# Bakes that count as under way: our own work, then what the site does before it says that it is done.
UNDER_WAY = Q(state__in=[str(state) for state in ACTIVE]) | Q(site=Site.TOLD)


def incoming_record(tape: IncomingTape, private: bool) -> dict[str, Any]:
    return {
        "code": tape.code,
        "slug": tape.slug,
        "mongoId": tape.mongo_id if private else None,
        "detectedAt": epoch_ms(tape.detected_at),
        "status": "incoming",
        "details": tape.details or "Waiting to be baked",
    }


def contract_status(bake: Bake, stage: str = "") -> str:
    if bake.state in WAITING:
        return "queued"
    if bake.state in RUNNING:
        stage = stage or bake.stage
        return stage if stage in ("downloading", "extracting", "processing", "uploading") else "downloading"
    return bake.site_status or {State.COMPLETE: "complete", State.FAILED: "failed"}.get(
        State(bake.state), "cancelled"
    )


def active_record(bake: Bake, private: bool, live: dict[str, Any] | None = None) -> dict[str, Any]:
    """`private`: for readers who may see the addresses and other systems' ids."""
    live = live or {}
    return {
        "id": bake.public_id,
        "code": bake.code,
        "slug": bake.slug,
        "mongoId": bake.mongo_id if private else None,
        "zipUrl": bake.zip_url if private else None,
        "callbackUrl": bake.callback_url if private else None,
        "startTime": epoch_ms(bake.created_at),
        "status": contract_status(bake, live.get("stage", "")),
        "lastUpdate": epoch_ms(bake.site_at or bake.heartbeat_at or bake.created_at),
        "details": live.get("detail") or bake.site_details or bake.detail,
        "percent": max(live.get("percent", 0), bake.percent),
    }


def recent_record(bake: Bake, private: bool) -> dict[str, Any]:
    success = bake.state == State.COMPLETE and bake.site_success is not False
    record = {
        **active_record(bake, private),
        "success": success,
        "completedAt": epoch_ms(bake.ended_at),
        "duration": bake.duration_ms,
        "delivered": bake.site == Site.DONE,
    }
    if bake.video:
        record |= {"mp4Url": bake.video_url, "thumbnailUrl": bake.thumbnail_url or None}
    if not success:
        record["error"] = bake.error_message or bake.site_details or "The bake was cancelled."
    return record


def status_parts(private: bool = False) -> dict[str, Any]:
    """What /status and /ws carry of bakes."""
    bakes = queries.rows(registry.get("bake"))
    active = list(bakes.filter(UNDER_WAY).order_by("-id")[:SHOWN_ACTIVE])
    recent = bakes.exclude(UNDER_WAY).order_by("-ended_at", "-id")[:RECENT]
    live = progress.read("bake", [bake.public_id for bake in active if bake.state in RUNNING])
    return {
        "incoming": [incoming_record(tape, private) for tape in incoming()],
        "active": [active_record(bake, private, live.get(bake.public_id)) for bake in active],
        "recent": [recent_record(bake, private) for bake in recent],
    }
