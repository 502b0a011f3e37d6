"""The layer of letters over a mosaic: the codes of its pieces, strewn, and the site's name before them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from captures.engine.cards.faces import Face, font
from captures.engine.cards.spec import SIZE
from captures.engine.cards.text import Style, clean, draw, fit, width

SITE = "KidLisp.com"
COLORS = (
    *("#FF6B6B", "#4ECDC4", "#FFE66D", "#95E1D3", "#F38181", "#AA96DA", "#70D6FF"),
    *("#95E1D3", "#FF6B6B", "#9370DB", "#90EE90"),
)
NAME = Style(Face.BRAND, 160, spacing=8)
SHADOW = 8

COLUMNS, ROWS = 6, 5
CELL, ORIGIN = (1300 / 6, 142), (-50, -40)
JITTER, TURN = (0.20, 0.15), 8.0  # parts of a cell, degrees
LABEL, SCALE, OPACITY = 42, (0.7, 1.5), (0.20, 0.45)
LABEL_SHADOW, LABEL_SHADOW_COLOR = 2, (0, 0, 0, 128)
SIGIL_COLOR, CODE_COLOR = "#00ff88", "limegreen"
LABEL_WIDTH = 420


class Chance:
    """The same numbers from 0 to 1 for the same codes."""

    def __init__(self, codes: Sequence[str]) -> None:
        self.seed = sum(map(ord, "".join(codes)))
        self.drawn = 0

    def __call__(self, low: float, high: float) -> float:
        value = math.sin(self.seed + 9999 * self.drawn) * 10_000
        self.drawn += 1
        return low + (value - math.floor(value)) * (high - low)


def lay_labels(card: Image.Image, codes: Sequence[str]) -> None:
    chance = Chance(codes)
    for index in range(COLUMNS * ROWS if codes else 0):
        row, column = divmod(index, COLUMNS)
        x = ORIGIN[0] + CELL[0] * (column + 0.5 + chance(-JITTER[0], JITTER[0]))
        y = ORIGIN[1] + CELL[1] * (row + 0.5 + chance(-JITTER[1], JITTER[1]))
        turn, size = chance(-TURN, TURN), LABEL * chance(*SCALE)
        label = _label(clean(codes[index % len(codes)]), round(size), chance(*OPACITY))
        label = label.rotate(turn, Image.Resampling.BICUBIC, expand=True)
        card.paste(label, (round(x - label.width / 2), round(y - label.height / 2)), label)


def _label(code: str, size: int, opacity: float) -> Image.Image:
    style = Style(Face.BRAND, size)
    code = fit(code, style, LABEL_WIDTH)
    room = math.ceil(width(f"${code}", style)) + 2 * LABEL_SHADOW + 4
    label = Image.new("RGBA", (room, 2 * size))
    pen, baseline = ImageDraw.Draw(label), round(1.4 * size)
    draw(pen, (2 + LABEL_SHADOW, baseline + LABEL_SHADOW), f"${code}", style, LABEL_SHADOW_COLOR)
    end = draw(pen, (2, baseline), "$", style, SIGIL_COLOR)
    draw(pen, (end, baseline), code, style, CODE_COLOR)
    label.putalpha(label.getchannel("A").point(lambda alpha: round(alpha * opacity)))
    return label


def lay_brand(card: Image.Image) -> None:
    pen, total = ImageDraw.Draw(card), width(SITE, NAME)
    top, bottom = font(NAME.face.value[0], NAME.size).getbbox(SITE, anchor="ls")[1::2]
    left, baseline = (SIZE[0] - total) / 2, SIZE[1] / 2 - (top + bottom) / 2
    draw(pen, (left + SHADOW, baseline + SHADOW), SITE, NAME, "black")
    for letter, color in zip(SITE, COLORS, strict=True):
        left = draw(pen, (left, baseline), letter, NAME, color) + NAME.spacing
