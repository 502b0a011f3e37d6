"""What a worker does for a bake."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.db import connections
from django.db.models import Exists, OuterRef, Q, QuerySet

from bakes import services
from bakes.engine.errors import BakeError
from bakes.engine.spec import BakeResult, BakeSpec, Progress, TapeLimits
from bakes.models import Bake
from bakes.requests import tape_door
from oven.egress.client import FetchError, background, download
from oven.events import stream
from oven.jobs.context import JobContext
from oven.jobs.runner import JobRunner
from oven.jobs.states import ACTIVE, State
from oven.storage import stores
from oven.storage.models import Artifact

DOWNLOADED, BAKED = 25, 90  # percent of the whole


class BakeRunner(JobRunner):
    """Fetch the tape and bake it in scratch, store the video, then publish it by one conditional update."""

    name = "bake"
    model = Bake
    pool = "bake"
    timeout_s = 900
    related = ("video", "thumbnail")
    search_field = "code"
    can_requeue = True
    keep_days = 365
    failures: ClassVar[tuple[type[Exception], ...]] = (BakeError, FetchError)
    store_failure = "The video could not be stored."

    def work(self, context: JobContext, place: Path) -> None:
        bake: Bake = context.job
        stream.log("info", f"{bake.code}: baking", bake.public_id)
        tape = place / "tape.zip"
        self._download(context, bake, tape)
        result = _bake(context, tape, place)
        video, thumbnail = self._store(context, bake, result)
        self._publish(context, result, video, thumbnail)

    def failed(self, context: JobContext, error: Any) -> None:
        if isinstance(error, FetchError):
            message = f"The tape could not be fetched: {error.message}"
            self.fail(context, f"tape_{error.code}", message, error.retry)
        else:
            super().failed(context, error)

    def requeue(self, job: Bake, *, user: Any = None, skip_cache: bool = False) -> Bake:
        return services.ask_again(job, user=user)

    def cleanup(self) -> dict[str, int]:
        return services.delete_incoming()

    def retained(self, rows: QuerySet[Any]) -> Iterable[int]:
        """Keep the newest good one of every tape, which the site shows; all of a tape that is being baked."""
        newer = Bake.objects.filter(code=OuterRef("code"), state=State.COMPLETE, pk__gt=OuterRef("pk"))
        active = Bake.objects.filter(code=OuterRef("code"), state__in=ACTIVE)
        shown = Q(state=State.COMPLETE) & ~Exists(newer)
        return rows.filter(shown | Exists(active)).values_list("pk", flat=True)

    def _download(self, context: JobContext, bake: Bake, tape: Path) -> None:
        def on_bytes(size: int, expected: int | None) -> None:
            share = min(1.0, size / expected) if expected else 0.0
            of = f" of {expected / 1e6:.1f}" if expected else ""
            context.report("downloading", round(DOWNLOADED * share), f"{size / 1e6:.1f}{of} MB")

        context.report("downloading", 0, "Fetching the tape")
        with self.timed(context, "download"):
            size = context.wait(background(download(bake.zip_url, tape, tape_door(), on_bytes)))
        context.note(f"tape: {size} bytes")

    def _store(self, context: JobContext, bake: Bake, result: BakeResult) -> tuple[Artifact, Artifact | None]:
        self.begin_storing(context)
        # In a thread, so that a slow store does not stop the heartbeat.
        with self.timed(context, "store"), ThreadPoolExecutor(1) as thread:
            return context.wait(thread.submit(_keep, bake, result))

    def _publish(self, context: JobContext, result: BakeResult, video: Artifact, thumbnail: Artifact | None) -> None:
        if result.thumbnail_error:
            context.note(f"no thumbnail: {result.thumbnail_error}")
        context.note(
            f"{result.frames} frames, {result.width}×{result.height}, {result.duration_ms / 1000:.3f} s, "
            f"{result.size} bytes{', with sound' if result.sound else ''}"
        )
        context.save_log(evidence=_evidence(result))
        self.publish(
            context,
            video=video,
            thumbnail=thumbnail,
            width=result.width,
            height=result.height,
            frames=result.frames,
            video_ms=round(result.duration_ms),
            sound=result.sound,
        )


def _bake(context: JobContext, tape: Path, place: Path) -> BakeResult:
    from bakes.engine.bake import bake  # brings the engine, which only workers need

    estimate = Estimate()

    def report(progress: Progress) -> None:
        context.look()
        percent = DOWNLOADED + round((BAKED - DOWNLOADED) * progress.percent / 100)
        detail = progress.detail + estimate.left(progress)
        frames = (progress.frames_done, progress.frames_total)
        context.report(progress.stage, percent, detail, preview=progress.preview, frames=frames)

    result = bake(BakeSpec(tape=tape, limits=limits()), place, report)
    context.spans.update(result.spans)
    for note in result.notes:
        context.note(note)
    return result


class Estimate:
    """How long the rest takes, from how long the frames have taken so far."""

    def __init__(self) -> None:
        self._started: float | None = None

    def left(self, progress: Progress) -> str:
        """For the end of a detail; empty while there is too little to tell."""
        if progress.frames_done < 1 or progress.frames_total < 1:
            return ""
        now = time.monotonic()
        if self._started is None:
            self._started = now
        spent = now - self._started
        if spent < 1 or progress.frames_done >= progress.frames_total:
            return ""
        seconds = spent / progress.frames_done * (progress.frames_total - progress.frames_done)
        return f", {max(1, round(seconds))} s left"


def limits() -> TapeLimits:
    """The engine's limits as this installation sets them."""
    return TapeLimits(zip_bytes=settings.OVEN_TAPE_MAX_MB << 20, video_s=settings.OVEN_TAPE_MAX_S)


def _keep(bake: Bake, result: BakeResult) -> tuple[Artifact, Artifact | None]:
    try:
        video = stores.keep(
            result.video,
            f"tapes/{bake.code}.mp4",
            "video/mp4",
            store="blobs",
            width=result.width,
            height=result.height,
            frames=result.frames,
        )
        thumbnail = None
        if result.thumbnail:
            key = f"tapes/{bake.code}-thumb.jpg"
            thumbnail = stores.keep(result.thumbnail, key, "image/jpeg", store="blobs")
        return video, thumbnail
    finally:
        connections.close_all()  # this thread's


def _evidence(result: BakeResult) -> dict[str, Any]:
    return {
        "frames": result.frames,
        "duration_ms": round(result.duration_ms, 3),
        "sound_ms": round(result.sound_ms, 3),
        "notes": result.notes,
    }
