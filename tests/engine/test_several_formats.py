"""Several files of one load: each as if it had been asked for alone, and the page is opened once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captures.engine.encode import Frame, SeveralEncoder
from captures.engine.errors import CaptureError
from captures.engine.spec import CaptureResult, CaptureSpec, Format, Mode, Output
from tests.engine.test_formats import gif_durations, probe, webp_durations
from tests.piece_server import PieceServer

Capture = Callable[..., CaptureResult]
FOUR = (Format.PNG, Format.WEBP, Format.GIF, Format.MP4)


def outputs(*sizes: tuple[int, int], formats: tuple[Format, ...] = FOUR) -> tuple[Output, ...]:
    return tuple(Output(format_, *size) for size in sizes for format_ in formats)


def pixels(path: Path) -> Any:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), dtype=int)


def video(path: Path) -> dict[str, Any]:
    shown = (
        "-count_frames",
        "-show_entries",
        "stream=width,height,nb_read_frames,color_space,pix_fmt:format=duration",
    )
    found: dict[str, Any] = probe(path, *shown)
    return {**found["streams"][0], "duration": float(found["format"]["duration"])}  # type: ignore[call-overload]


def test_four_formats_in_two_sizes_come_of_one_load(capture: Capture, site: PieceServer) -> None:
    before = site.count("/anim")
    found = capture("anim", format=Format.PNG, outputs=outputs((128, 128), (64, 64)))
    assert site.count("/anim") == before + 1
    assert [(file.format, file.width) for file in found.files] == [(f, side) for side in (128, 64) for f in FOUR]
    assert [file.frames for file in found.files] == [1, 10, 10, 10] * 2
    assert (found.path, found.format, found.frames) == (found.files[0].path, Format.PNG, 1)
    for file in found.files:
        if file.format is Format.MP4:
            seen = video(file.path)
            assert (seen["width"], seen["height"], seen["nb_read_frames"]) == (file.width, file.height, "10")
            assert seen["duration"] == pytest.approx(1.0, abs=0.01)
            assert (seen["color_space"], seen["pix_fmt"]) == ("bt709", "yuv420p")
        else:
            with Image.open(file.path) as picture:
                assert (picture.format, picture.size) == (file.format.upper(), (file.width, file.height))
    by_name = {(file.format, file.width): file.path for file in found.files}
    assert sum(webp_durations(by_name[Format.WEBP, 64])) == sum(gif_durations(by_name[Format.GIF, 64])) == 1000


def test_all_show_the_same_moment(capture: Capture) -> None:
    """The first frame of each is the still, which is without loss."""
    found = capture("tc-canvas", format=Format.PNG, outputs=outputs((128, 128)), quality=95)
    still, webp, gif = (pixels(file.path) for file in found.files[:3])
    assert np.abs(still - webp).mean() < 6
    assert np.abs(still - gif).mean() < 6
    spec = CaptureSpec("x", outputs=outputs((128, 128)))
    assert spec.settle_wait_ms == spec.settle_still_ms  # as long as the still would have settled alone


def test_a_smaller_file_shows_the_mean_of_the_pixels(capture: Capture) -> None:
    found = capture("anim", format=Format.PNG, outputs=outputs((128, 128), (64, 64), formats=(Format.PNG,)))
    large, small = (pixels(file.path) for file in found.files)
    mean = large.reshape(64, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.abs(mean - small).max() <= 1


def test_lossy_formats_alone_are_captured_the_cheap_way(capture: Capture) -> None:
    spec = CaptureSpec("x", outputs=outputs((512, 512), formats=(Format.WEBP, Format.MP4)))
    assert spec.shot["format"] == "jpeg"
    assert CaptureSpec("x", outputs=outputs((512, 512))).shot["format"] == "png"
    found = capture("anim", outputs=outputs((128, 128), (64, 64), formats=(Format.WEBP, Format.MP4)))
    assert [file.frames for file in found.files] == [10] * 4
    assert [video(file.path)["width"] for file in found.files[1::2]] == [128, 64]


def test_a_piece_that_stands_still_gives_stills_and_a_film(capture: Capture) -> None:
    found = capture("still", format=Format.PNG, outputs=outputs((128, 128), (64, 64)))
    assert found.still_reason == "frozen"
    assert [file.frames for file in found.files] == [1, 1, 1, 10] * 2
    for file in found.files:
        if file.format is not Format.MP4:
            with Image.open(file.path) as picture:
                assert (picture.size, getattr(picture, "n_frames", 1)) == ((file.width, file.height), 1)


def test_transparency_is_kept_in_all(capture: Capture) -> None:
    wanted = outputs((128, 128), (64, 64), formats=(Format.PNG, Format.WEBP))
    found = capture("alpha", format=Format.PNG, transparent=True, outputs=wanted)
    for file in found.files:
        with Image.open(file.path) as picture:
            assert picture.convert("RGBA").getextrema()[3][0] < 10, file
    with pytest.raises(CaptureError, match="gif has no transparency"):
        capture("alpha", format=Format.PNG, transparent=True, outputs=outputs((128, 128)))


def test_even_one_picture_becomes_every_format(capture: Capture) -> None:
    found = capture("anim", format=Format.PNG, outputs=outputs((128, 128)), modes=(Mode.STILL,))
    assert (found.still_reason, [file.frames for file in found.files]) == ("fallback", [1, 1, 1, 1])
    assert video(found.files[3].path)["nb_read_frames"] == "1"


def test_an_encoder_that_fails_fails_the_capture(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("captures.engine.encode.gif.GifEncoder.encode", broken)
    with pytest.raises(OSError, match="disk full"):
        capture("anim", format=Format.PNG, outputs=outputs((128, 128)))


def test_few_frames_are_held_however_slow_an_encoder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next frame waits until the last has gone into every file."""
    taken: list[int] = []

    def slow(self: Any, frame: Frame) -> None:
        taken.append(frame.image.getpixel((0, 0))[0])  # type: ignore[index]

    monkeypatch.setattr("captures.engine.encode.gif.GifEncoder.encode", slow)
    spec = CaptureSpec("x", width=32, height=32, outputs=outputs((32, 32), formats=(Format.GIF, Format.WEBP)))

    async def run() -> None:
        encoder = SeveralEncoder(spec, tmp_path / "a")
        await encoder.start()
        for number in range(20):
            frame = Frame(b"%d" % number)
            frame.decoded = Image.new("RGB", (32, 32), (number, 0, 0))
            await asyncio.to_thread(encoder.encode, frame)
            assert len(taken) >= number  # all but the newest are done
        await encoder.finish()

    asyncio.run(run())
    assert taken == list(range(20))
