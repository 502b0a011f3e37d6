"""The bridge between a Grab row and the engine: asking for one, and running it in a worker."""

from __future__ import annotations

import logging
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone

from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureResult, Format, Progress
from captures.models import FrozenPiece, Grab
from captures.requests import GrabRequest, slug
from oven_site.artifacts import stores
from oven_site.artifacts.models import Artifact
from oven_site.egress.policy import decide
from oven_site.jobs import lifecycle
from oven_site.jobs.execution import Execution
from oven_site.jobs.states import WAITING, Lane
from oven_site.live import events

log = logging.getLogger(__name__)


class QueueFull(Exception):
    """More waiting work than the ceiling allows."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a wish: a finished capture (`cached`), or an active one that is new or was `joined`."""

    grab: Grab
    cached: bool = False
    joined: bool = False


# --- asking ---------------------------------------------------------------------------------------------------------


def ask(
    wish: GrabRequest,
    *,
    skip_cache: bool = False,
    source: str = "manual",
    keep_id: str = "",
    user: Any = None,
    lane: Lane | None = None,
    again_of: Grab | None = None,
) -> Asked:
    """A capture of the wish: the cached one, the one under way, or a new one. Raises QueueFull.

    Only callers who may claim priority should pass source "keep".
    """
    key = wish.capture_key
    if not skip_cache and (found := Grab.objects.cached(key)):
        return Asked(found, cached=True)
    if active := Grab.objects.active_with(key):
        return Asked(active, joined=True)
    if Grab.objects.filter(state__in=WAITING).count() >= settings.OVEN_QUEUE_CEILING:
        raise QueueFull
    width, height = wish.to_spec().pixel_size
    grab = Grab(
        public_id=new_id(wish.piece),
        piece=wish.piece,
        format=wish.format,
        out_width=width,
        out_height=height,
        capture_key=key,
        keep_id=keep_id[:80],
        source=source[:40],
        lane=lane or (Lane.KEEP if source == "keep" else Lane.NOW),
        requested_by=user,
        spec=wish.as_json(),
        again_of=again_of,
    )
    try:
        return Asked(lifecycle.submit(grab))
    except IntegrityError:  # somebody asked for the same in this very moment
        active = Grab.objects.active_with(key) or Grab.objects.cached(key)
        if active is None:
            raise
        return Asked(active, joined=True)


def ask_again(grab: Grab, *, skip_cache: bool = False, user: Any = None) -> Asked:
    """The same capture once more, as a new row: the old one stays as it is."""
    wish = GrabRequest.from_json(grab.spec)
    return ask(
        wish, skip_cache=skip_cache, source="again", user=user, lane=Lane.BATCH, again_of=grab, keep_id=grab.keep_id
    )


def new_id(piece: str) -> str:
    return f"{slug(piece)}-{secrets.token_hex(4)}"


# --- running --------------------------------------------------------------------------------------------------------

_host: EngineHost | None = None


def engine() -> EngineHost:
    """This process's engine; started at first use."""
    global _host
    if _host is None:
        _host = EngineHost(browser_options())
    return _host


def browser_options() -> BrowserOptions:
    return BrowserOptions(
        executable=settings.OVEN_CHROMIUM,
        recycle_grabs=settings.OVEN_RECYCLE_GRABS,
        recycle_age_s=settings.OVEN_RECYCLE_AGE_S,
        recycle_memory_mb=settings.OVEN_RECYCLE_MEMORY_MB,
    )


def warm_up() -> None:
    """Starts the browser before the first job. A failure is left to the first job to report."""
    try:
        engine().warm_up()
    except CaptureError as error:
        log.warning("the browser did not start: %s", error.message)


def close_engine() -> None:
    global _host
    host, _host = _host, None
    if host is not None:
        host.close()


def run(execution: Execution) -> None:
    """Runs a claimed Grab: captures into scratch, stores, then publishes by one conditional update."""
    grab: Grab = execution.job
    wish = GrabRequest.from_json(grab.spec)
    root = Path(settings.OVEN_DATA) / "scratch"
    root.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{grab.pk}-", dir=root))
    events.log("capture", f"{grab}: capturing {grab.title}")
    try:
        _refuse_closed(wish)
        result = execution.wait(engine().capture(wish.to_spec(), scratch, _reporter(execution)))
        _conclude(execution, grab, wish, result)
    except CaptureError as error:
        _record_failure(execution, grab, error)
    except stores.StoreError as error:
        execution.note(f"store: {error}")
        lifecycle.fail(grab, "store", "The picture could not be stored.", retry=True, spans=execution.spans)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _refuse_closed(wish: GrabRequest) -> None:
    decision = decide(wish.url, trusted_origins=[settings.OVEN_PIECE_ORIGIN])
    if not decision.allowed:
        raise CaptureError(ErrorCode.BAD_SPEC, f"This address cannot be grabbed: {decision.reason}.")


def _reporter(execution: Execution) -> Any:
    def report(progress: Progress) -> None:
        frames = (progress.frames_done, progress.frames_total)
        execution.report(progress.stage, progress.percent, progress.detail, preview=progress.preview, frames=frames)

    return report


def _conclude(execution: Execution, grab: Grab, wish: GrabRequest, result: CaptureResult) -> None:
    execution.spans.update(result.spans)
    execution.report("uploading", 95, "Storing")
    execution.beat()  # the last look whether this attempt still counts, before anything is written
    started = timezone.now()
    artifact, poster = _store(grab, result)
    execution.spans["store"] = round((timezone.now() - started).total_seconds() * 1000)
    execution.note(f"{result.mode} mode, ready by {result.ready} at {result.ready_ms} ms, {result.frames} frames")
    execution.save_log(evidence={**result.evidence, "mode": result.mode, "ready": result.ready})
    lifecycle.finish(
        grab,
        execution.spans,
        artifact=artifact,
        poster=poster,
        expires_at=artifact.expires_at,
        mode=result.mode,
        ready=result.ready,
        ready_ms=result.ready_ms,
        still_reason=result.still_reason,
        blank=result.blank,
        out_width=result.width,
        out_height=result.height,
    )
    if result.still_reason in ("frozen", "flat"):
        list_frozen(grab, result)


def _store(grab: Grab, result: CaptureResult) -> tuple[Artifact, str]:
    """A later attempt has a key of its own: whatever a dying one still writes, it cannot touch the good file."""
    name = grab.public_id if grab.attempt == 1 else f"{grab.public_id}-{grab.attempt}"
    artifact = stores.keep(
        result.path,
        f"oven/grabs/{name}.{result.format}",
        result.format.mime,
        width=result.width,
        height=result.height,
        frames=result.frames,
        expires_at=timezone.now() + timedelta(days=settings.OVEN_GRAB_DAYS),
    )
    poster = f"oven/posters/{name}.webp"
    stores.keep_bytes(result.poster, poster, "image/webp")
    return artifact, poster


def _record_failure(execution: Execution, grab: Grab, error: CaptureError) -> None:
    execution.note(f"failed: {error.code}: {error.message}")
    fields: dict[str, Any] = {"evidence": error.evidence}
    if error.last_frame:
        suffix = "png" if error.last_frame.startswith(b"\x89PNG") else "jpg"
        fields["last_frame"] = f"oven/attempts/{grab.public_id}-{grab.attempt}.{suffix}"
        try:
            stores.keep_bytes(error.last_frame, fields["last_frame"], f"image/{suffix}")
        except stores.StoreError:
            del fields["last_frame"]
    execution.save_log(**fields)
    retry = error.code.retry
    execution.job = lifecycle.fail(grab, str(error.code), error.message, retry=retry, spans=execution.spans)


# --- frozen pieces --------------------------------------------------------------------------------------------------


def list_frozen(grab: Grab, result: CaptureResult) -> None:
    """Lists a piece that did not move; a repeat counts up."""
    flat = result.still_reason == "flat"
    error = (
        f"dud, UNIFORM_COLOR:{result.flat_color}, still frame returned" if flat else "frozen, still frame returned"
    )
    reason = "flat" if flat else "frozen"
    preview = grab.artifact.key if grab.artifact and result.format is not Format.MP4 else grab.poster
    entry, created = FrozenPiece.objects.get_or_create(
        piece=grab.piece, defaults={"reason": reason, "error": error, "preview": preview, "grab": grab}
    )
    if not created:
        FrozenPiece.objects.filter(pk=entry.pk).update(
            attempts=F("attempts") + 1,
            last_attempt=timezone.now(),
            error=error,
            reason=reason,
            preview=preview,
            grab=grab,
        )
    events.publish_frozen(grab.piece)
    events.log("warn", f"{grab.piece} is {reason}: listed as frozen")


def freeze(piece: str, reason: str, user: Any = None) -> FrozenPiece:
    """Puts a piece on the list by hand."""
    entry, _ = FrozenPiece.objects.update_or_create(
        piece=piece, defaults={"reason": "staff", "error": reason or f"listed by {user or 'staff'}"}
    )
    events.publish_frozen(piece)
    return entry


def unfreeze(piece: str) -> bool:
    """Takes a piece off the list; False when it was not on it."""
    deleted, _ = FrozenPiece.objects.filter(piece=piece).delete()
    if deleted:
        events.publish_frozen(piece)
        events.log("cleanup", f"{piece} taken off the frozen list")
    return bool(deleted)


# --- housekeeping ---------------------------------------------------------------------------------------------------


def housekeep() -> dict[str, int]:
    """Deletes the files of expired captures (their rows stay as history) and scratch that nobody owns any more."""
    dropped = 0
    listed = set(FrozenPiece.objects.exclude(preview="").values_list("preview", flat=True))
    for artifact in stores.expired(timezone.now()).iterator():
        if artifact.key in listed:
            continue
        try:
            stores.drop(artifact)
        except stores.StoreError as error:
            log.warning("expired %s not deleted: %s", artifact, error)
            continue
        dropped += 1
    return {"expired": dropped, "scratch": _sweep_scratch()}


def _sweep_scratch() -> int:
    root = Path(settings.OVEN_DATA) / "scratch"
    running = {
        str(pk) for pk in Grab.objects.filter(state__in=("running", "cancelling")).values_list("pk", flat=True)
    }
    orphans = [path for path in root.glob("*-*") if path.name.split("-")[0] not in running]
    for path in orphans:
        shutil.rmtree(path, ignore_errors=True)
    return len(orphans)
