"""The time code decoders, on pictures made here."""

import numpy as np
import pytest
from PIL import Image

from tests.timecode import (
    CSS_WRAP_MS,
    WRAP_MS,
    UnreadableCode,
    decode,
    decode_css,
    series_errors,
)


def coded(value: int, bits: int = 24, block: int = 16) -> Image.Image:
    pixels = np.full((8 * block, 32 * block, 3), 90, np.uint8)
    for i in range(bits):
        pixels[:block, i * block : (i + 1) * block] = 255 * (value >> i & 1)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("value", [0, 1, 123_456, 2**24 - 1])
def test_decode_reads_hundredths_of_a_millisecond(value: int) -> None:
    assert decode(coded(value)) == pytest.approx(value / 100)
    assert decode(np.asarray(coded(value))) == pytest.approx(value / 100)


def test_decode_reads_scaled_and_transparent_pictures() -> None:
    assert decode(coded(98_765, block=8), block=8) == pytest.approx(987.65)
    assert decode(coded(98_765).convert("RGBA")) == pytest.approx(987.65)


def test_decode_css_reads_milliseconds() -> None:
    assert decode_css(coded(8000, bits=13)) == 8000


def test_decode_refuses_grey_blocks_and_small_pictures() -> None:
    with pytest.raises(UnreadableCode):
        decode(Image.new("RGB", (512, 512), (128, 128, 128)))
    with pytest.raises(UnreadableCode):
        decode(Image.new("RGB", (100, 100)))


def test_an_even_series_has_no_errors() -> None:
    error, duplicates, drops = series_errors([500 + i * 1000 / 30 for i in range(60)], 30)
    assert error < 1e-6 and (duplicates, drops) == (0, 0)


def test_a_repeated_frame_is_a_duplicate() -> None:
    assert series_errors([0, 100, 100, 200], 10) == (100, 1, 0)


def test_a_jump_counts_each_dropped_frame() -> None:
    assert series_errors([0, 100, 400, 500], 10) == (200, 0, 2)


def test_the_error_is_the_largest_distance_from_the_pace() -> None:
    assert series_errors([0, 104, 197, 300], 10) == (4, 0, 0)


@pytest.mark.parametrize("wrap", [WRAP_MS, CSS_WRAP_MS])
def test_a_series_may_pass_its_wrap(wrap: float) -> None:
    times = [(wrap - 250 + i * 100) % wrap for i in range(8)]
    error, duplicates, drops = series_errors(times, 10, wrap)
    assert error < 1e-6 and (duplicates, drops) == (0, 0)
