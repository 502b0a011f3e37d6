"""A whole bake: what it reports, what it needs, what it leaves behind when it ends before its time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from bakes.engine.bake import bake
from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.spec import BakeResult, BakeSpec, Progress
from bakes.engine.writer import TapeWriter
from tests.bakes.engine.tapes import (
    encoded,
    frame_times_ms,
    in_child,
    listed,
    picture,
    png,
    probe,
    tape,
    wav,
    wav_header,
)

Bake = Callable[..., BakeResult]


class Stop(Exception):
    pass


def test_progress_is_told_for_every_frame_with_previews_now_and_then(tmp_path: Path) -> None:
    told: list[Progress] = []
    bake(BakeSpec(tape(tmp_path / "tape.zip", [png(i) for i in range(30)])), tmp_path, told.append)

    processing = [progress for progress in told if progress.stage == "processing"]
    assert [progress.frames_done for progress in processing] == list(range(1, 31))
    assert all(progress.frames_total == 30 for progress in told)
    assert [progress.percent for progress in told] == sorted(progress.percent for progress in told)
    assert told[0].stage == "extracting" and told[0].percent == 0 and told[-1].percent >= 95
    previews = [progress.preview for progress in told if progress.preview]
    assert 1 <= len(previews) <= 10
    (tmp_path / "preview.jpg").write_bytes(previews[0])
    assert Image.open(tmp_path / "preview.jpg").size == (128, 128)


@pytest.mark.parametrize("when", [0, 1, 50, 99, 100])
def test_whatever_report_raises_comes_through_and_nothing_stays(when: int, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = tape(tmp_path / "tape.zip", [png(i) for i in range(100)], sound=wav(tmp_path / "a.wav", 1.7))
    threads, files = threads_now(), open_files()

    def report(progress: Progress) -> None:
        if progress.frames_done == when and (when or progress.stage == "extracting"):
            raise Stop

    with pytest.raises(Stop):
        bake(BakeSpec(path), scratch, report)

    assert list(scratch.iterdir()) == []
    assert threads_now() <= threads and open_files() == files
    assert threading.active_count() == 1 and not children()


def test_progress_goes_on_while_a_sound_outlasts_the_picture(tmp_path: Path) -> None:
    told: list[Progress] = []
    path = tape(tmp_path / "tape.zip", [png()], sound=wav_header(0xFFFFFFFF) + bytes(48_000 * 4 * 20))
    bake(BakeSpec(path), tmp_path, told.append)

    assert len(told) > 10


def test_nothing_runs_on_after_a_bake(baked: Bake, tmp_path: Path) -> None:
    baked(tape(tmp_path / "warm.zip", [png()]))
    threads, files = threads_now(), open_files()

    baked(tape(tmp_path / "tape.zip", [png(i) for i in range(30)]))

    assert threads_now() <= threads and open_files() == files and not children()


def test_a_failure_of_the_encoder_is_ours_and_worth_a_retry(tmp_path: Path) -> None:
    with pytest.raises(BakeError) as caught:
        bake(BakeSpec(tape(tmp_path / "tape.zip", [png()])), tmp_path / "missing")

    assert caught.value.code is ErrorCode.ENCODE and caught.value.code.retry
    assert "processing" in caught.value.spans


def test_a_tape_is_refused_without_loading_the_encoder(tmp_path: Path) -> None:
    (tmp_path / "tape.zip").write_bytes(b"no tape")
    program = """
import sys; from pathlib import Path
from bakes.engine.bake import bake; from bakes.engine.spec import BakeSpec
try: bake(BakeSpec(Path(sys.argv[1])), Path(sys.argv[1]).parent)
except Exception as error: print(error.code, "av" in sys.modules, "django" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "tape.zip")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["not_a_zip", "False", "False"]


def test_memory_does_not_grow_with_the_tape(tmp_path: Path, full_size: bool) -> None:
    frames = [png(index, (256, 256)) for index in range(48)]

    def grown(copies: int) -> float:
        path = tape(tmp_path / f"{copies}.zip", frames * copies, listed([20] * (48 * copies)))
        return in_child(lambda: bake(BakeSpec(path), tmp_path).frames)[1]

    short, long = grown(2), grown(20 if full_size else 8)

    assert long < short + 12
    assert long < 130


def test_the_longest_tape_is_baked_with_all_that_lies_beside_its_frames(tmp_path: Path) -> None:
    """4,000 frames, times, a sound and facts."""
    sound = wav(tmp_path / "sound.wav", 4000 * 25 / 1000)
    with TapeWriter(tmp_path / "tape.zip") as writer:
        frames = [png(index, (16, 16)) for index in range(10)]
        for index in range(4000):
            writer.add_frame(frames[index // 400], 25)
        writer.finish(sound, {"frames": 4000})
    result = bake(BakeSpec(tmp_path / "tape.zip"), tmp_path)
    assert (result.frames, result.duration_ms) == (4000, 100_000)


def test_same_frames_in_a_row_are_decoded_once(baked: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bakes.engine.decode import Decoder

    decodes = []
    original = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda *args: decodes.append(1) or original(*args))

    result = baked(tape(tmp_path / "tape.zip", [png(0)] * 20 + [png(1)] * 20 + [png(0)] * 20, listed([30] * 60)))

    assert len(decodes) == 3
    assert frame_times_ms(result.video) == pytest.approx([index * 30 for index in range(60)], abs=0.01)


def test_a_written_tape_bakes_to_what_was_written(baked: Bake, tmp_path: Path) -> None:
    path = tmp_path / "tape.zip"
    with TapeWriter(path) as writer:
        for index in range(12):
            kind = "webp" if index % 2 else "png"
            writer.add_frame(encoded(picture(index), kind), 20 + index, kind)
        writer.finish(wav(tmp_path / "a.wav", 0.306), {"frameCount": 12})

    result = baked(path)

    assert frame_times_ms(result.video)[:4] == pytest.approx([0, 20, 41, 63], abs=0.01)
    assert result.sound and not result.notes
    assert probe(result.video, "stream=nb_frames")["streams"][0]["nb_frames"] == "12"


def test_a_tape_given_up_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "tape.zip"
    with pytest.raises(Stop), TapeWriter(path) as writer:
        writer.add_frame(png(), 16)
        raise Stop

    assert not path.exists()


@pytest.mark.parametrize("duration", [0, -1, float("nan"), float("inf")])
def test_a_frame_of_no_duration_is_not_written(duration: float, tmp_path: Path) -> None:
    with TapeWriter(tmp_path / "tape.zip") as writer, pytest.raises(ValueError, match="cannot be shown"):
        writer.add_frame(png(), duration)


def threads_now() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children() -> str:
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().strip()
