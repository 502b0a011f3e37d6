"""What the files hold: sizes, frames, times, colours, transparency."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from captures.engine.encode.webp import chunks
from captures.engine.spec import CaptureResult, Format
from tests.harness.sizes import sampled

Capture = Callable[..., CaptureResult]


def webp_durations(path: Path) -> list[int]:
    frames = [data for name, data in chunks(path.read_bytes()) if name == b"ANMF"]
    return [int.from_bytes(data[12:15], "little") for data in frames]


def gif_durations(path: Path) -> list[int]:
    with Image.open(path) as picture:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(picture)]


def probe(path: Path, *show: str) -> dict[str, list[dict[str, str]]]:
    command = ["ffprobe", "-v", "error", "-of", "json", *show, str(path)]
    found: dict[str, list[dict[str, str]]] = json.loads(
        subprocess.run(command, capture_output=True, check=True).stdout
    )
    return found


def test_a_png_is_one_frame_of_the_asked_size(capture: Capture) -> None:
    found = capture("anim", format=Format.PNG)
    with Image.open(found.path) as picture:
        assert (picture.format, picture.size, picture.mode) == ("PNG", (128, 128), "RGB")
        assert picture.info["srgb"] == 0  # says which colours its numbers are
    assert (found.frames, found.width, found.height, found.size) == (1, 128, 128, found.path.stat().st_size)


@pytest.mark.parametrize(
    ("scale", "pixels"),
    sampled([(2, (256, 256)), (1.5, (192, 192)), (0.5, (64, 64))], [(0.5, (64, 64))], "tests/e2e has 2"),
)
def test_scale_gives_true_pixels(capture: Capture, scale: float, pixels: tuple[int, int]) -> None:
    with Image.open(capture("anim", format=Format.PNG, scale=scale).path) as picture:
        assert picture.size == pixels


@pytest.mark.parametrize(
    "format_", sampled([Format.WEBP, Format.GIF, Format.MP4], [Format.MP4], "only a film needs an even size")
)
def test_an_odd_size_with_an_odd_scale_works(capture: Capture, format_: Format) -> None:
    found = capture("anim", format=format_, width=101, height=67, scale=1.5, duration_ms=400)
    assert (found.width, found.height) == (152, 100)


def test_webp_frame_times_add_up_to_the_millisecond(capture: Capture) -> None:
    found = capture("anim", playback_fps=15.0)
    durations = webp_durations(found.path)
    assert (len(durations), sum(durations), set(durations)) == (10, 667, {66, 67})
    with Image.open(found.path) as picture:
        assert (picture.n_frames, picture.info["loop"], picture.size) == (10, 0, (128, 128))


def test_gif_delays_alternate_so_that_no_time_is_lost(capture: Capture) -> None:
    found = capture("anim", format=Format.GIF, playback_fps=30.0, duration_ms=3000)
    durations = gif_durations(found.path)
    assert (len(durations), sum(durations), set(durations)) == (30, 1000, {30, 40})
    with Image.open(found.path) as picture:
        assert picture.info["loop"] == 0


def test_mp4_frame_times_are_exact(capture: Capture) -> None:
    found = capture("anim", format=Format.MP4, fps=30.0, playback_fps=30.0)
    frames = probe(found.path, "-show_frames", "-select_streams", "v")["frames"]
    times = [float(frame["pts_time"]) for frame in frames]
    assert len(times) == 30
    assert max(abs(time - index / 30) for index, time in enumerate(times)) < 0.0001
    stream = probe(found.path, "-show_streams")["streams"][0]
    assert (stream["codec_name"], stream["pix_fmt"], stream["color_space"]) == ("h264", "yuv420p", "bt709")
    assert abs(float(stream["duration"]) - 1) < 0.001
    data = found.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_last_frame_of_a_gif_has_its_own_colours(capture: Capture) -> None:
    """The palette of the first frame once coloured all others."""
    found = capture("palette", format=Format.GIF)
    with Image.open(found.path) as picture:
        frames = [frame.convert("RGB").resize((1, 1)).getpixel((0, 0)) for frame in ImageSequence.Iterator(picture)]
    means = [pixel for pixel in frames if isinstance(pixel, tuple)]
    redness = [pixel[0] - pixel[2] for pixel in means]
    assert max(redness) > 80
    assert min(redness) < -20


@pytest.mark.parametrize(
    "format_", sampled([Format.PNG, Format.WEBP], [Format.WEBP], "test_several_formats.py has PNG")
)
def test_transparency_is_kept_where_asked_for(capture: Capture, format_: Format) -> None:
    found = capture("alpha", format=format_, transparent=True, width=512, height=512)
    with Image.open(found.path) as picture:
        for frame in ImageSequence.Iterator(picture):
            alpha = frame.convert("RGBA").getchannel("A")
            assert alpha.getextrema()[0] == 0
            assert 90 < alpha.getextrema()[1] < 200


def test_without_transparency_the_page_shows_on_white(capture: Capture) -> None:
    with Image.open(capture("alpha", format=Format.PNG, width=512, height=512).path) as picture:
        assert picture.mode == "RGB"
        assert picture.getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.exhaustive("test_frame_times.py reads the moment of every frame")
def test_frames_differ_and_move_on(capture: Capture) -> None:
    with Image.open(capture("anim").path) as picture:
        frames = {frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(picture)}
    assert len(frames) == 10


def test_progress_rises_through_the_stages(host, site, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from captures.engine.spec import CaptureSpec, Progress

    seen: list[Progress] = []
    spec = CaptureSpec(url=f"{site.origin}/anim", width=128, height=128, duration_ms=1000, fps=20)
    host.capture(spec, tmp_path, seen.append).result(60)
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages == ["loading", "settling", "capturing", "encoding"]
    percents = [progress.percent for progress in seen]
    assert percents == sorted(percents)
    previews = [progress.preview for progress in seen if progress.preview]
    assert previews and all(preview.startswith(b"\xff\xd8") for preview in previews)
