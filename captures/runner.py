"""What a worker does for a grab."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone

from captures import frozen, services, storage_keys
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.spec import CaptureResult, Progress
from captures.models import Grab, GrabOutput
from captures.requests import GrabRequest
from oven.events import stream
from oven.jobs.context import JobContext
from oven.jobs.runner import JobRunner
from oven.storage import stores
from oven.storage.models import Artifact

NOT_RETRIED_FOR_CLIENTS = {ErrorCode.TIMEOUT, ErrorCode.HUNG, ErrorCode.MEMORY}  # each try takes a worker for long


class GrabRunner(JobRunner):
    """Capture into scratch, store the files, then publish them by one conditional update."""

    name = "grab"
    model = Grab
    pool = "capture"
    timeout_s = 150
    related = ("artifact",)
    search_field = "piece"
    can_requeue = clones = True
    file_fields = ("poster",)
    referenced_by = ("captures.FrozenPiece.preview",)
    storage_prefixes = (
        *("art:oven/grabs", "art:oven/posters", "art:oven/attempts", "art:oven/icons"),
        *("art:oven/animated-icons", "art:oven/previews", "art:oven/app-screenshots", "art:oven/frozen"),
    )
    failures: ClassVar[tuple[type[Exception], ...]] = (CaptureError,)
    store_failure = "The picture could not be stored."

    def work(self, context: JobContext, place: Path) -> None:
        from captures import browser  # brings the engine, which only workers need

        grab: Grab = context.job
        request = GrabRequest.from_json(grab.spec)
        stream.log("capture", f"{grab}: capturing {grab.title}", grab.public_id)
        check_egress_policy(request)
        result = context.wait(browser.engine().capture(request.to_spec(), place, _reporter(context)))
        self._store_and_publish(context, grab, request, result)

    def _store_and_publish(
        self, context: JobContext, grab: Grab, request: GrabRequest, result: CaptureResult
    ) -> None:
        context.spans.update(result.spans)
        grab.result_files = result.files
        self.begin_storing(context)
        self.discard(grab, range(1, grab.attempt))  # what a lost attempt has stored, but not published
        with self.timed(context, "store"):
            artifacts, poster = _store(grab, request, result)
        grab.made = _outputs(grab, request, artifacts)
        context.note(f"{result.mode} mode, ready by {result.ready} at {result.ready_ms} ms, {result.frames} frames")
        for warning in result.warnings:
            context.note(f"warning: {warning.code}: {warning.message}")
        context.save_log(evidence={**result.evidence, "mode": result.mode, "ready": result.ready})
        self.publish(context, artifact=artifacts[0], poster=poster, **_facts(artifacts[0], result))
        frozen.note_result(grab, result)

    def discard(self, job: Grab, attempts: Iterable[int]) -> None:
        request = GrabRequest.from_json(job.spec)
        for attempt in attempts:
            keys = [storage_keys.file_key(job, request, file, attempt) for file in job.result_files]
            stores.discard([*keys, storage_keys.poster_key(job, attempt)])

    def failed(self, context: JobContext, error: CaptureError) -> None:
        grab: Grab = context.job
        context.spans.update(error.spans)
        context.save_log(evidence=error.evidence, **_keep_last_frame(grab, error))
        retry = error.code.retry and not (grab.client and error.code in NOT_RETRIED_FOR_CLIENTS)
        self.fail(context, str(error.code), error.message, retry)

    def requeue(self, job: Grab, *, user: Any = None, skip_cache: bool = False) -> Grab:
        return services.ask_again(job, skip_cache=skip_cache, user=user).grab

    def clone_fields(self, jobs: QuerySet[Any], *, skip_cache: bool) -> list[dict[str, Any]]:
        return services.clone_fields(jobs, skip_cache=skip_cache)

    def search_values(self, text: str, limit: int) -> list[str]:
        return services.pieces_with(text, limit)

    def cleanup(self) -> dict[str, int]:
        return services.delete_expired()

    def retained(self, rows: QuerySet[Any]) -> Iterable[int]:
        return self.cached(rows)


def check_egress_policy(request: GrabRequest) -> None:
    """Raise CaptureError BAD_SPEC for an address that pages may not be loaded from."""
    from captures import browser
    from oven.egress.policy import decide

    decision = decide(request.url, trusted_origins=browser.trusted_origins())
    if not decision.allowed:
        raise CaptureError(ErrorCode.BAD_SPEC, f"This address cannot be grabbed: {decision.reason}.")


def _reporter(context: JobContext) -> Any:
    def report(progress: Progress) -> None:
        frames = (progress.frames_done, progress.frames_total)
        context.report(progress.stage, progress.percent, progress.detail, preview=progress.preview, frames=frames)

    return report


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


def _store(grab: Grab, request: GrabRequest, result: CaptureResult) -> tuple[list[Artifact], str]:
    """Store each file under its key; return them with the poster's key."""
    expires_at = timezone.now() + request.purpose.life
    artifacts = [
        stores.keep(
            file.path,
            storage_keys.file_key(grab, request, file),
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


def _outputs(grab: Grab, request: GrabRequest, artifacts: list[Artifact]) -> list[GrabOutput]:
    """Return the rows of a capture for several files; a grab for one needs none."""
    if not request.formats:
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
        for position, (alone, artifact) in enumerate(zip(request.outputs, artifacts, strict=True))
    ]


def _keep_last_frame(grab: Grab, error: CaptureError) -> dict[str, str]:
    """Store the last frame of a failed capture; return the attempt's field for it."""
    if not error.last_frame:
        return {}
    suffix = "png" if error.last_frame.startswith(b"\x89PNG") else "jpg"
    key = f"oven/attempts/{grab.public_id}-{grab.attempt}.{suffix}"
    try:
        stores.keep_bytes(error.last_frame, key, f"image/{suffix}")
    except stores.StoreError:
        return {}
    return {"last_frame": key}
