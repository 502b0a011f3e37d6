"""A tape in, a video and a thumbnail out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.spec import BakeResult, BakeSpec, OnProgress, Progress
from bakes.engine.tape import Tape

VIDEO, THUMBNAIL = "video.mp4", "thumb.jpg"


def bake(spec: BakeSpec, scratch: Path, report: OnProgress = lambda _: None) -> BakeResult:
    """Writes `video.mp4` and `thumb.jpg` into `scratch`, from the ZIP straight to the encoder.

    Raises BakeError, and whatever `report` raises. Either way nothing is left in `scratch` and nothing runs on; all
    work is done in this process, so there is nothing to end but itself.
    """
    spans: dict[str, int] = {}
    try:
        with _span(spans, "extracting"):
            tape = Tape(spec.tape, spec.limits, lambda done, total: report(_looking(done, total)))
        with tape:
            return _run(spec, tape, scratch, report, spans)
    except BaseException as error:
        for name in (VIDEO, THUMBNAIL):
            (scratch / name).unlink(missing_ok=True)
        if isinstance(error, BakeError):
            error.spans = spans
        raise


def _run(spec: BakeSpec, tape: Tape, scratch: Path, report: OnProgress, spans: dict[str, int]) -> BakeResult:
    # Only now, as it takes 20 MB and 0.1 s: a tape that is refused must cost next to nothing.
    from av.error import FFmpegError

    from bakes.engine.run import Run

    try:
        with _span(spans, "processing"):
            result = Run(spec, tape, scratch / VIDEO, scratch / THUMBNAIL, report).run()
    except FFmpegError as error:
        raise BakeError(ErrorCode.ENCODE, f"The video could not be encoded: {error}.") from error
    result.spans = spans
    return result


def _looking(done: int, total: int) -> Progress:
    return Progress("extracting", 0, f"looking at {total:,} frames", done, total)


@contextlib.contextmanager
def _span(spans: dict[str, int], name: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        spans[name] = round((time.monotonic() - began) * 1000)
