"""The bridge between a claimed Grab and the engine. Imported by workers only: it brings the engine with it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from captures import frozen, storage_keys
from captures.engine.box import Bounds
from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.host import BrowserFacts, EngineHost
from captures.engine.spec import CaptureResult, Progress
from captures.models import Grab, GrabOutput
from captures.requests import GrabRequest
from oven.egress.policy import decide
from oven.egress.proxy import Limits, Proxy
from oven.events import stream
from oven.jobs import lifecycle, scratch
from oven.jobs.context import Execution
from oven.storage import stores, urls
from oven.storage.models import Artifact

log = logging.getLogger(__name__)
SANDBOX = {"auto": None, "on": True, "off": False}
WHY_OFF = {"auto": "this worker runs as root", "off": "OVEN_CHROMIUM_SANDBOX says so"}
NOT_RETRIED_FOR_CLIENTS = {ErrorCode.TIMEOUT, ErrorCode.HUNG, ErrorCode.MEMORY}  # each try takes a worker for long
_host: EngineHost | None = None


def engine() -> EngineHost:
    """This process's engine; started at first use."""
    global _host
    if _host is None:
        _host = EngineHost(browser_options())
    return _host


def browser_options(*named: str) -> BrowserOptions:
    """`named` are origins that whoever gives the command has named: they may lie on this machine."""
    return BrowserOptions(
        gate=Proxy((*trusted_origins(), *named), limits()),
        executable=settings.OVEN_CHROMIUM,
        recycle_grabs=settings.OVEN_RECYCLE_GRABS,
        recycle_age_s=settings.OVEN_RECYCLE_AGE_S,
        recycle_memory_mb=settings.OVEN_RECYCLE_MEMORY_MB,
        profiles=str(Path(settings.OVEN_DATA) / "browsers"),
        sandbox=SANDBOX[settings.OVEN_CHROMIUM_SANDBOX],
        page_processes=settings.OVEN_PAGE_MAX_PROCESSES,
        bounds=Bounds(data_mb=2048 + 2 * settings.OVEN_PAGE_MEMORY_MB),
    )


def trusted_origins() -> list[str]:
    """What pages may reach by name, wherever it lies: the piece site, and stores with an origin of their own."""
    stored = [urls.public_origin(name) for name in ("art", "blobs")]
    own = settings.OVEN_PUBLIC_URL.rstrip("/")  # this service itself is nothing that pages need
    return [settings.OVEN_PIECE_ORIGIN, *(origin for origin in stored if origin and origin != own)]


def limits() -> Limits:
    """Of one page."""
    return Limits(requests=settings.OVEN_PAGE_MAX_REQUESTS, bytes=settings.OVEN_PAGE_MAX_MB << 20)


def warm_up() -> None:
    """Starts the browser before the first job. A failure is left to the first job to report."""
    if not engine().engine.options.sandboxed:
        log.warning("Chromium's sandbox is off: %s", WHY_OFF[settings.OVEN_CHROMIUM_SANDBOX])
    try:
        engine().warm_up()
    except CaptureError as error:
        log.warning("the browser did not start: %s", error.message)


def browser_facts() -> BrowserFacts | None:
    """Of this process's engine, if it has been started."""
    host = _host
    return host.facts() if host is not None else None


def close_engine() -> None:
    global _host
    host, _host = _host, None
    if host is not None:
        host.close()


def run(execution: Execution) -> None:
    """Runs a claimed Grab: captures into scratch, stores, then publishes by one conditional update."""
    grab: Grab = execution.job
    wish = GrabRequest.from_json(grab.spec)
    stream.log("capture", f"{grab}: capturing {grab.title}", grab.public_id)
    try:
        _refuse_closed(wish)
        with scratch.directory(grab) as place:
            result = execution.wait(engine().capture(wish.to_spec(), place, _reporter(execution)))
            _conclude(execution, grab, wish, result)
    except CaptureError as error:
        _record_failure(execution, grab, error)
    except stores.StoreError as error:
        execution.note(f"store: {error}")
        lifecycle.fail(grab, "store", "The picture could not be stored.", retry=True, spans=execution.spans)


def _refuse_closed(wish: GrabRequest) -> None:
    decision = decide(wish.url, trusted_origins=trusted_origins())
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
    _drop(grab, wish, result, range(1, grab.attempt))  # what a lost attempt had stored, but not published
    artifacts, poster = _store(grab, wish, result)
    grab.made = _outputs(grab, wish, artifacts)
    artifact = artifacts[0]
    execution.spans["store"] = round((timezone.now() - started).total_seconds() * 1000)
    execution.note(f"{result.mode} mode, ready by {result.ready} at {result.ready_ms} ms, {result.frames} frames")
    for warning in result.warnings:
        execution.note(f"warning: {warning.code}: {warning.message}")
    execution.save_log(evidence={**result.evidence, "mode": result.mode, "ready": result.ready})
    try:
        lifecycle.finish(grab, execution.spans, artifact=artifact, poster=poster, **_facts(artifact, result))
    except lifecycle.StateMismatch:
        _drop(grab, wish, result, (grab.attempt,))  # cancelled, or too late: nobody will ever name these
        raise
    frozen.note_result(grab, result)


def _facts(artifact: Artifact, result: CaptureResult) -> dict[str, Any]:
    return {
        "expires_at": artifact.expires_at,
        "mode": result.mode,
        "ready": result.ready,
        "ready_ms": result.ready_ms,
        "still_reason": result.still_reason,
        "blank": result.blank,
        "warnings": [{"code": warning.code.value, "message": warning.message} for warning in result.warnings],
        "out_width": result.width,
        "out_height": result.height,
    }


def _drop(grab: Grab, wish: GrabRequest, result: CaptureResult, attempts: Iterable[int]) -> None:
    """The files of attempts that are not to be published."""
    for attempt in attempts:
        keys = [storage_keys.file_key(grab, wish, file, attempt) for file in result.files]
        stores.discard([*keys, storage_keys.poster_key(grab, attempt)])


def _store(grab: Grab, wish: GrabRequest, result: CaptureResult) -> tuple[list[Artifact], str]:
    """Each file under its key, and the poster's key."""
    expires_at = timezone.now() + wish.purpose.life
    artifacts = [
        stores.keep(
            file.path,
            storage_keys.file_key(grab, wish, file),
            file.format.mime,
            width=file.width,
            height=file.height,
            frames=file.frames,
            expires_at=expires_at,
        )
        for file in result.files
    ]
    poster = storage_keys.poster_key(grab)
    stores.keep_bytes(result.poster, poster, "image/webp")
    return artifacts, poster


def _outputs(grab: Grab, wish: GrabRequest, artifacts: list[Artifact]) -> list[GrabOutput]:
    """The rows of a capture for several files; a grab for one needs none."""
    if not wish.formats:
        return []
    return [
        GrabOutput(
            grab=grab,
            position=position,
            format=alone.format,
            width=artifact.width,
            height=artifact.height,
            capture_key=alone.capture_key,
            artifact=artifact,
        )
        for position, (alone, artifact) in enumerate(zip(wish.outputs, artifacts, strict=True))
    ]


def _record_failure(execution: Execution, grab: Grab, error: CaptureError) -> None:
    execution.spans.update(error.spans)
    execution.note(f"failed: {error.code}: {error.message}")
    fields: dict[str, Any] = {"evidence": error.evidence, "spans": execution.spans}
    if error.last_frame:
        suffix = "png" if error.last_frame.startswith(b"\x89PNG") else "jpg"
        fields["last_frame"] = f"oven/attempts/{grab.public_id}-{grab.attempt}.{suffix}"
        try:
            stores.keep_bytes(error.last_frame, fields["last_frame"], f"image/{suffix}")
        except stores.StoreError:
            del fields["last_frame"]
    execution.save_log(**fields)
    retry = error.code.retry and not (grab.client and error.code in NOT_RETRIED_FOR_CLIENTS)
    execution.job = lifecycle.fail(grab, str(error.code), error.message, retry=retry, spans=execution.spans)
