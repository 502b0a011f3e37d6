"""The soundtrack: every common kind of WAV, its length, what is left out."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bakes.engine import soundtrack
from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.spec import BakeResult, TapeLimits
from tests.bakes.engine.tapes import duration_ms, listed, png, probe, tape, wav, wav_header
from tests.harness.sizes import sampled

Bake = Callable[..., BakeResult]
LIMITS = TapeLimits()
SECOND = [100.0] * 10


def in_blocks(data: bytes, size: int = 7) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def extensible(data_bytes: int) -> bytes:
    plain = wav_header(data_bytes, kind=0xFFFE)
    guid = struct.pack("<HHL", 22, 16, 3) + struct.pack("<H", 1) + bytes(14)
    return plain[:16] + struct.pack("<L", 40) + plain[20:36] + guid + plain[36:]


@pytest.mark.parametrize(
    ("rate", "channels"),
    sampled(
        list(itertools.product([8_000, 22_050, 44_100, 48_000, 96_000], [1, 2])),
        [(8_000, 1), (22_050, 2), (44_100, 1), (48_000, 2), (96_000, 1)],
        "the gate has every rate once, and mono and stereo",
    ),
)
def test_sound_of_every_common_rate_is_aac_as_long_as_the_wav(
    rate: int, channels: int, baked: Bake, tmp_path: Path
) -> None:
    sound = wav(tmp_path / "a.wav", 1.0, rate, channels)
    result = baked(tape(tmp_path / "tape.zip", [png(i) for i in range(10)], listed(SECOND), sound))

    stream = probe(result.video, "stream", "a:0")["streams"][0]
    assert (stream["codec_name"], stream["channels"]) == ("aac", channels)
    assert stream["sample_rate"] == str(rate if rate in (44_100, 48_000) else 48_000)
    assert duration_ms(result.video, "a:0") == pytest.approx(1000, abs=0.1)
    assert duration_ms(result.video) == pytest.approx(1000, abs=0.1)
    assert result.sound and result.sound_ms == pytest.approx(1000)


@pytest.mark.parametrize(("bits", "kind"), [(8, 1), (16, 1), (24, 1), (32, 1), (32, 3), (64, 3)])
def test_samples_of_every_common_kind_are_read(bits: int, kind: int, baked: Bake, tmp_path: Path) -> None:
    length = 48_000 * 2 * bits // 8
    sound = wav_header(length, bits=bits, kind=kind) + bytes(length)
    result = baked(tape(tmp_path / "tape.zip", [png(i) for i in range(10)], listed(SECOND), sound))

    assert duration_ms(result.video, "a:0") == pytest.approx(1000, abs=0.1)


def test_sound_is_about_128_kbits(baked: Bake, tmp_path: Path) -> None:
    noise = bytes((index * index * 31 + index // 7) & 0xFF for index in range(4 * 48_000 * 4))
    path = tape(
        tmp_path / "tape.zip", [png(i) for i in range(40)], listed([100.0] * 40), wav_header(len(noise)) + noise
    )

    stream = probe(baked(path).video, "stream=bit_rate", "a:0")["streams"][0]
    assert int(stream["bit_rate"]) == pytest.approx(128_000, rel=0.1)


def test_a_wav_is_read_from_blocks_of_any_size() -> None:
    data = (
        wav_header(4000)[:36]
        + b"LIST"
        + struct.pack("<L", 5)
        + bytes(6)
        + wav_header(4000)[36:]
        + bytes(range(200)) * 20
    )
    for size in (1, 7, 44, 10_000):
        sound = soundtrack.measure(in_blocks(data, size), LIMITS)
        assert (sound.start, sound.samples, sound.block, sound.cut_off) == (58, 1000, 4, False)
        assert b"".join(soundtrack.samples(in_blocks(data, size), sound)) == bytes(range(200)) * 20


def test_extensible_headers_are_understood() -> None:
    sound = soundtrack.measure(in_blocks(extensible(400) + bytes(400)), LIMITS)
    assert (sound.codec, sound.samples) == ("pcm_s16le", 100)


def test_length_left_open_by_the_recorder_is_counted() -> None:
    for unknown in (0, 0xFFFFFFFF):
        assert soundtrack.measure(in_blocks(wav_header(unknown) + bytes(402)), LIMITS).samples == 100


def test_what_follows_the_samples_is_not_sound() -> None:
    sound = soundtrack.measure(in_blocks(wav_header(400) + bytes(400) + b"id3 rest"), LIMITS)
    assert sound.samples == 100


def test_sound_that_ends_early_is_kept_and_noted(baked: Bake, tmp_path: Path) -> None:
    data = wav(tmp_path / "a.wav", 1.0).read_bytes()[: 44 + 48_000 * 2]
    result = baked(tape(tmp_path / "tape.zip", [png(i) for i in range(5)], listed(SECOND[:5]), data))

    assert result.sound_ms == pytest.approx(500) and "ends before" in result.notes[0]


def test_a_wav_without_samples_is_no_sound(baked: Bake, tmp_path: Path) -> None:
    result = baked(tape(tmp_path / "tape.zip", [png()], listed([100]), wav_header(0)))

    assert not result.sound and "no samples" in result.notes[0]
    assert probe(result.video, "stream=index", "a")["streams"] == []


def test_too_long_a_sound_is_refused_before_it_is_read_to_its_end() -> None:
    def endless() -> Iterator[bytes]:
        yield wav_header(0xFFFFFFFF)
        while True:
            yield bytes(1 << 16)

    with pytest.raises(BakeError) as caught:
        soundtrack.measure(endless(), LIMITS)
    assert caught.value.code is ErrorCode.SOUND_TOO_LONG
