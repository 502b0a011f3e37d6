"""Every frame shows its own moment: no error, no duplicate, no drop, the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from captures.engine.spec import CaptureResult, Format, Mode
from tests.harness.sizes import sampled
from tests.timecode import CSS_WRAP_MS, WRAP_MS, decode, decode_css, series_errors

FPS = 30.0


def times(path: Path, css: bool) -> list[float]:
    with Image.open(path) as picture:
        read = decode_css if css else decode
        return [read(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]


def series(capture: Callable[..., CaptureResult], piece: str, seconds: int) -> list[float]:
    found = capture(piece, width=512, height=64, duration_ms=seconds * 1000, fps=FPS, quality=95, format=Format.WEBP)
    assert found.mode is Mode.VIRTUAL
    return times(found.path, piece == "tc-css")


@pytest.mark.parametrize(
    ("piece", "bound_ms"),
    sampled(
        [("tc-canvas", 0.2), ("tc-webgl", 0.2), ("tc-mixed", 0.2), ("tc-css", 2)],
        [("tc-webgl", 0.2), ("tc-mixed", 0.2)],
        "the mixed code has a canvas, CSS and SVG in one",
    ),
)
def test_frame_times_are_exact_and_repeat(
    capture: Callable[..., CaptureResult], piece: str, bound_ms: float, full_size: bool
) -> None:
    count, seconds = (3, 2) if full_size else (2, 1)
    runs = [series(capture, piece, seconds) for _ in range(count)]
    for run in runs:
        assert len(run) == seconds * FPS
        wrap = CSS_WRAP_MS if piece == "tc-css" else WRAP_MS
        error, duplicates, drops = series_errors(run, FPS, wrap=wrap)
        assert (duplicates, drops) == (0, 0)
        assert error <= bound_ms
    relative = [[round(moment - run[0], 2) for moment in run] for run in runs]
    assert all(times == relative[0] for times in relative)


@pytest.mark.parametrize("piece", ["tc-worker", "tc-svg"])
def test_workers_and_svg_follow_the_same_clock(
    capture: Callable[..., CaptureResult], piece: str, full_size: bool
) -> None:
    error, duplicates, drops = series_errors(series(capture, piece, 2 if full_size else 1), FPS, wrap=WRAP_MS)
    assert (duplicates, drops) == (0, 0)
    assert error <= 1


@pytest.mark.parametrize(
    "fps", sampled([7.5, 24.0, 60.0], [24.0], "test_other_pages.py counts callbacks at six rates")
)
def test_any_rate_is_exact(capture: Callable[..., CaptureResult], fps: float) -> None:
    found = capture("tc-canvas", width=512, height=64, duration_ms=1000, fps=fps, quality=95)
    error, duplicates, drops = series_errors(times(found.path, css=False), fps, wrap=WRAP_MS)
    assert (error <= 0.2, duplicates, drops) == (True, 0, 0)
