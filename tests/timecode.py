"""Read the time codes that the `tc-*` fixtures draw, and judge their pace.

A code is a row of 16 by 16 CSS pixel blocks at the top left, least bit first,
white for 1 and black for 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BLOCK = 16
BITS = 24
UNIT_MS = 0.01
WRAP_MS = 2**BITS * UNIT_MS  # where a 24-bit code starts again

CSS_BITS = 13
CSS_UNIT_MS = 1.0
CSS_WRAP_MS = 2**CSS_BITS * CSS_UNIT_MS

# A block whose middle is between these is no clear black or white.
DARK, LIGHT = 96, 160


class UnreadableCode(ValueError):
    """The picture holds no clear time code."""


def decode(image: Any, bits: int = BITS, unit_ms: float = UNIT_MS, *, block: float = BLOCK) -> float:
    """The milliseconds written on an RGB image, PIL or numpy.

    `block` is the size of a code block in image pixels: 16 times the scale.
    """
    pixels = np.asarray(image.convert("RGB") if hasattr(image, "convert") else image)
    if pixels.shape[1] < round(bits * block) or pixels.shape[0] < round(block):
        raise UnreadableCode(f"{pixels.shape[1]} by {pixels.shape[0]} pixels hold no code")
    value = sum(_bit(pixels, i, block) << i for i in range(bits))
    return value * unit_ms


def decode_css(image: Any, *, block: float = BLOCK) -> float:
    """The milliseconds on an image of `tc-css`, modulo `CSS_WRAP_MS`."""
    return decode(image, CSS_BITS, CSS_UNIT_MS, block=block)


def _bit(pixels: np.ndarray, i: int, block: float) -> int:
    """Bit i, from the middle half of its block."""
    left, right = round((i + 0.25) * block), round((i + 0.75) * block)
    top, bottom = round(0.25 * block), round(0.75 * block)
    middle = pixels[top : max(bottom, top + 1), left : max(right, left + 1)]
    level = float(middle[..., :3].mean())
    if DARK < level < LIGHT:
        raise UnreadableCode(f"block {i} is grey ({level:.0f})")
    return int(level >= LIGHT)


def series_errors(times_ms: Sequence[float], fps: float, wrap: float | None = None) -> tuple[float, int, int]:
    """How far frames are from an even pace: (max_error_ms, duplicates, drops).

    The error of frame i is its distance from the first frame's time plus
    i / fps. A duplicate is a frame less than half a step after the one before
    it; drops counts the whole steps that were jumped over. `wrap` is the
    period at which the times start again.
    """
    step = 1000 / fps
    now = 0.0
    error, duplicates, drops = 0.0, 0, 0
    for i in range(1, len(times_ms)):
        moved = times_ms[i] - times_ms[i - 1]
        if wrap is not None:
            moved = (moved + wrap / 2) % wrap - wrap / 2
        now += moved
        error = max(error, abs(now - i * step))
        duplicates += moved < step / 2
        drops += max(0, round(moved / step) - 1)
    return error, duplicates, drops
