"""How alike two pictures are."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

WINDOW = 8
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Mean structural similarity of the brightness, in windows of 8 by 8 pixels: 1 for equal pictures."""
    assert one.size == other.size, f"{one.size} is not {other.size}"
    a, b = (np.asarray(picture.convert("L"), dtype=np.float64) for picture in (one, other))
    mean_a, mean_b = _means(a), _means(b)
    var_a, var_b = _means(a * a) - mean_a**2, _means(b * b) - mean_b**2
    both = _means(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + C1) * (2 * both + C2)
    return float(np.mean(top / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))))


def _means(values: Any) -> Any:
    """Of every window, by running sums."""
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    whole = sums[WINDOW:, WINDOW:] - sums[:-WINDOW, WINDOW:] - sums[WINDOW:, :-WINDOW] + sums[:-WINDOW, :-WINDOW]
    return whole / WINDOW**2
