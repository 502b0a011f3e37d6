"""Fast-moving progress: in Redis and on the event stream, never in the database."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

from redis.exceptions import RedisError

from oven import redis
from oven.events import stream
from oven.events.publisher import LOG_KEPT, LOG_KEY
from oven.types import JobInfo

__all__ = ["LOG_KEPT", "read", "recent_log", "send"]
log = logging.getLogger(__name__)
KEPT_S = 60


def _key(kind: str, public_id: str) -> str:
    return f"oven:progress:{kind}:{public_id}"


def send(job: JobInfo, stage: str, percent: int, detail: str, **live: Any) -> None:
    """Tells every reader how far a running job is. `live`: `preview` (JPEG bytes), `frames` ([done, total])."""
    job.stage, job.percent, job.detail = stage, percent, detail
    extra: dict[str, Any] = {"frames": list(live.get("frames") or (0, 0))}
    if live.get("preview"):
        extra["preview"] = base64.b64encode(live["preview"]).decode()
    try:
        key = _key(job.kind, job.public_id)
        fields: Any = {"stage": stage, "percent": percent, "detail": detail, "frames": json.dumps(extra["frames"])}
        if "preview" in extra:
            fields["preview"] = extra["preview"]
        pipe = redis.client().pipeline(transaction=False)
        pipe.hset(key, mapping=fields)
        pipe.expire(key, KEPT_S)
        pipe.execute()
    except RedisError as error:
        log.debug("progress of %s not kept: %s", job, error)
    stream.publish_job("job.progress", job, **extra)


def read(kind: str, public_ids: list[str]) -> dict[str, dict[str, Any]]:
    """The newest progress of running jobs, by id: stage, percent, detail, frames, preview (base64, may be empty)."""
    if not public_ids:
        return {}
    try:
        pipe = redis.client().pipeline(transaction=False)
        for public_id in public_ids:
            pipe.hgetall(_key(kind, public_id))
        rows = pipe.execute()
    except RedisError:
        return {}
    return {public_id: _parsed(row) for public_id, row in zip(public_ids, rows, strict=True) if row}


def _parsed(texts: dict[str, str]) -> dict[str, Any]:
    return {
        "stage": texts.get("stage", ""),
        "percent": int(texts.get("percent", 0)),
        "detail": texts.get("detail", ""),
        "frames": json.loads(texts.get("frames", "[0, 0]")),
        "preview": texts.get("preview", ""),
    }


def recent_log(count: int = 50) -> list[dict[str, Any]]:
    """The newest activity log entries, newest first."""
    try:
        rows: Any = redis.client().lrange(LOG_KEY, 0, count - 1)
    except RedisError:
        return []
    return [json.loads(row) for row in rows]
