"""When each frame is shown, and that picture and sound end together."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.soundtrack import Sound
from bakes.engine.spec import BakeResult
from bakes.engine.sync import synchronize
from bakes.engine.timing import Timing, parse_timing, ticks
from tests.bakes.engine.tapes import duration_ms, frame_times_ms, listed, png, probe, tape, wav
from tests.harness.sizes import sampled

Bake = Callable[..., BakeResult]
UNEVEN = [random.Random(7).uniform(5, 200) for _ in range(60)]


def starts(durations: list[float]) -> list[float]:
    return list(itertools.accumulate(durations[:-1], initial=0.0))


def assert_shown_at(video: Path, durations: list[float]) -> None:
    """Every frame within a hundredth of what is allowed, and the last one as long as it should be."""
    assert frame_times_ms(video) == pytest.approx(starts(durations), abs=0.01)
    assert duration_ms(video) == pytest.approx(sum(durations), abs=0.01)


@pytest.mark.parametrize("seed", sampled(list(range(6)), [0, 1, 2], "the gate has three of the random tapes"))
def test_each_frame_is_shown_for_its_own_duration_and_so_is_the_last(seed: int, baked: Bake, tmp_path: Path) -> None:
    dice = random.Random(seed)
    durations = [
        dice.choice([5, 16.67, 200]) * dice.uniform(0.9, 1.1) for _ in range(dice.choice([2, 3, 4, 5, 31, 70]))
    ]
    frames = [png(dice.randrange(48)) for _ in durations]

    result = baked(tape(tmp_path / "tape.zip", frames, listed(durations)))

    assert_shown_at(result.video, durations)
    assert result.duration_ms == pytest.approx(sum(durations), abs=0.01)


def test_files_are_written_in_the_order_of_decoding_from_tick_zero(baked: Bake, tmp_path: Path) -> None:
    frames = [png(index * 7) for index in range(len(UNEVEN))]
    result = baked(tape(tmp_path / "tape.zip", frames, listed(UNEVEN)))

    packets = probe(result.video, "packet=pts,dts")["packets"]
    decoded = [packet["dts"] for packet in packets]
    assert decoded[0] == 0 and all(a < b for a, b in itertools.pairwise(decoded))
    assert all(packet["dts"] <= packet["pts"] for packet in packets)
    assert any(packet["dts"] < packet["pts"] for packet in packets), "no B-frame: the test shows nothing"
    assert packets[-1]["pts"] == max(packet["pts"] for packet in packets)


def test_object_shape_of_timing_is_read_alike(baked: Bake, tmp_path: Path) -> None:
    entries = [{"index": i, "duration": ms, "timestamp": 0} for i, ms in enumerate(UNEVEN[:9])]
    timing = {"frames": entries, "totalDuration": sum(UNEVEN[:9])}

    result = baked(tape(tmp_path / "tape.zip", [png(i) for i in range(9)], timing))

    assert_shown_at(result.video, UNEVEN[:9])


def test_without_timing_frames_come_sixty_a_second(baked: Bake, tmp_path: Path) -> None:
    result = baked(tape(tmp_path / "tape.zip", [png(i) for i in range(90)]))

    assert_shown_at(result.video, [1000 / 60] * 90)


def test_one_frame_is_a_video_of_its_duration(baked: Bake, tmp_path: Path) -> None:
    result = baked(tape(tmp_path / "tape.zip", [png()], listed([1234.5])))

    assert_shown_at(result.video, [1234.5])
    assert result.frames == 1 and result.thumbnail is not None


@pytest.mark.parametrize(
    "off", sampled([-0.049, -0.01, 0.03, 0.049], [-0.049, 0.03], "the gate has one on each side")
)
def test_picture_is_scaled_to_a_sound_that_differs_by_under_five_percent(
    off: float, baked: Bake, tmp_path: Path
) -> None:
    seconds = 2.0
    durations = [seconds * 1000 * (1 + off) * part / sum(UNEVEN) for part in UNEVEN]
    path = tape(
        tmp_path / "tape.zip", [png(i) for i in range(60)], listed(durations), wav(tmp_path / "a.wav", seconds)
    )

    result = baked(path)

    assert result.sync_scaled and result.drift_ms == pytest.approx(seconds * 1000 * off, abs=0.1)
    assert_shown_at(result.video, [seconds * 1000 * part / sum(UNEVEN) for part in UNEVEN])
    assert duration_ms(result.video, "a:0") == pytest.approx(duration_ms(result.video), abs=20)
    assert "scaled" in " ".join(result.notes)


def test_picture_keeps_its_times_when_the_sound_differs_by_more(baked: Bake, tmp_path: Path) -> None:
    durations = [50.0] * 20
    path = tape(tmp_path / "tape.zip", [png(i) for i in range(20)], listed(durations), wav(tmp_path / "a.wav", 1.6))

    result = baked(path)

    assert not result.sync_scaled and result.drift_ms == pytest.approx(-600)
    assert_shown_at(result.video, durations)
    assert duration_ms(result.video, "a:0") == pytest.approx(1600, abs=20)
    assert "37.5%" in " ".join(result.notes)


def test_assumed_times_are_not_scaled_to_the_sound() -> None:
    sound = Sound("pcm_s16le", 1000, 1, 2, 44, 990)

    assert synchronize(Timing([10.0] * 100, given=True), sound, 0.05).scaled
    assert not synchronize(Timing([10.0] * 100, given=False), sound, 0.05).scaled


def test_rounding_to_ticks_does_not_add_up() -> None:
    durations = [16.6667] * 4000
    starts_and_end = ticks(durations)

    exact = [index * 16.6667 * 90 for index in range(4001)]
    assert max(abs(tick - at) for tick, at in zip(starts_and_end, exact, strict=True)) <= 0.51


def names(count: int) -> list[str]:
    return [f"frame-{index:05d}.png" for index in range(count)]


def timing(entries: list[dict[str, object]], count: int) -> Timing:
    return parse_timing(json.dumps(entries).encode(), names(count))


def test_entries_are_matched_by_name_whatever_their_order() -> None:
    assert timing(listed([1, 2, 3])[::-1], 3).durations == [1, 2, 3]


def test_entries_that_name_nothing_known_are_matched_by_position() -> None:
    entries = [{"filename": f"f{index}.png", "duration": index + 1} for index in range(3)]
    assert timing(entries, 3).durations == [1, 2, 3]


def test_a_missing_entry_is_filled_with_the_usual_time_and_noted() -> None:
    found = timing(listed([10, 20, 20]), 4)
    assert found.durations == [10, 20, 20, 20] and "lacks 1 of 4" in found.notes[0]


def test_an_entry_too_many_is_left_out_and_noted() -> None:
    found = timing(listed([10, 20, 30]), 2)
    assert found.durations == [10, 20] and "1 entries" in found.notes[0]


@pytest.mark.parametrize("entries", [37, 43])
def test_more_than_a_twentieth_of_wrong_entries_is_refused(entries: int) -> None:
    with pytest.raises(BakeError) as caught:
        timing([{"duration": 16} for _ in range(entries)], 40)
    assert caught.value.code is ErrorCode.TIMING_MISMATCH
