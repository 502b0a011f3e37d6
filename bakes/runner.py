"""The bridge between a claimed Bake and the engine. Imported by workers only: it brings the engine with it."""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from bakes.engine.bake import bake as run_engine
from bakes.engine.errors import BakeError
from bakes.engine.spec import BakeResult, BakeSpec, Progress, TapeLimits
from bakes.models import Bake
from bakes.requests import tape_door
from oven.egress.client import FetchError, background, download
from oven.events import stream
from oven.jobs import lifecycle, scratch
from oven.jobs.context import Execution
from oven.storage import stores
from oven.storage.models import Artifact

log = logging.getLogger(__name__)
DOWNLOADED, BAKED = 25, 90  # percent of the whole


def run(execution: Execution) -> None:
    """Runs a claimed Bake: fetches the tape and bakes it in scratch, stores, then publishes by one update."""
    bake: Bake = execution.job
    stream.log("info", f"{bake.code}: baking", bake.public_id)
    try:
        with scratch.directory(bake) as place:
            tape = place / "tape.zip"
            _download(execution, bake, tape)
            result = _bake(execution, tape, place)
            video, thumbnail = _store(execution, bake, result)
        _publish(execution, bake, result, video, thumbnail)
    except FetchError as error:
        message = f"The tape could not be fetched: {error.message}"
        _fail(execution, f"tape_{error.code}", message, error.retry)
    except BakeError as error:
        execution.spans.update(error.spans)
        _fail(execution, str(error.code), error.message, error.code.retry)
    except stores.StoreError as error:
        execution.note(f"store: {error}")
        _fail(execution, "store", "The video could not be stored.", retry=True)


def _download(execution: Execution, bake: Bake, tape: Path) -> None:
    execution.report("downloading", 0, "Fetching the tape")
    started = time.monotonic()

    def on_bytes(size: int, expected: int | None) -> None:
        share = min(1.0, size / expected) if expected else 0.0
        of = f" of {expected / 1e6:.1f}" if expected else ""
        execution.report("downloading", round(DOWNLOADED * share), f"{size / 1e6:.1f}{of} MB")

    size = execution.wait(background(download(bake.zip_url, tape, tape_door(), on_bytes)))
    execution.spans["download"] = _since(started)
    execution.note(f"tape: {size} bytes")


def _bake(execution: Execution, tape: Path, place: Path) -> BakeResult:
    estimate = Estimate()

    def report(progress: Progress) -> None:
        execution.look()
        percent = DOWNLOADED + round((BAKED - DOWNLOADED) * progress.percent / 100)
        detail = progress.detail + estimate.left(progress)
        frames = (progress.frames_done, progress.frames_total)
        execution.report(progress.stage, percent, detail, preview=progress.preview, frames=frames)

    result = run_engine(BakeSpec(tape=tape, limits=limits()), place, report)
    execution.spans.update(result.spans)
    for note in result.notes:
        execution.note(note)
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


def _store(execution: Execution, bake: Bake, result: BakeResult) -> tuple[Artifact, Artifact | None]:
    execution.report("uploading", 95, "Storing")
    execution.beat()  # the last look whether this attempt still counts, before anything is written
    started = time.monotonic()
    with ThreadPoolExecutor(1) as thread:  # so that a slow store does not stop the heart
        stored = execution.wait(thread.submit(_keep, bake, result))
    execution.spans["store"] = _since(started)
    return stored


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


def _publish(
    execution: Execution, bake: Bake, result: BakeResult, video: Artifact, thumbnail: Artifact | None
) -> None:
    if result.thumbnail_error:
        execution.note(f"no thumbnail: {result.thumbnail_error}")
    execution.note(
        f"{result.frames} frames, {result.width}×{result.height}, {result.duration_ms / 1000:.3f} s, "
        f"{result.size} bytes{', with sound' if result.sound else ''}"
    )
    execution.save_log(evidence=_evidence(result))
    lifecycle.finish(
        bake,
        execution.spans,
        video=video,
        thumbnail=thumbnail,
        width=result.width,
        height=result.height,
        frames=result.frames,
        video_ms=round(result.duration_ms),
        sound=result.sound,
    )


def _evidence(result: BakeResult) -> dict[str, Any]:
    return {
        "frames": result.frames,
        "duration_ms": round(result.duration_ms, 3),
        "sound_ms": round(result.sound_ms, 3),
        "notes": result.notes,
    }


def _fail(execution: Execution, code: str, message: str, retry: bool) -> None:
    execution.note(f"failed: {code}: {message}")
    execution.save_log(spans=execution.spans)
    execution.job = lifecycle.fail(execution.job, code, message, retry=retry, spans=execution.spans)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
