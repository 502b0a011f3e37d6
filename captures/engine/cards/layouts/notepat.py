"""The card of a piano that is played on a keyboard: two octaves of coloured pads. Shows no capture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from captures.engine.cards.faces import Face
from captures.engine.cards.paint import gradient, mixed, smooth_mask, veil
from captures.engine.cards.spec import SIZE, Shown
from captures.engine.cards.text import Style, draw

SHOT = None
PIECES = 0
TOP, BOTTOM = (0x1A, 0x1A, 0x3C), (0x0D, 0x0D, 0x28)
NOTES: dict[str, tuple[int, int, int]] = {
    "C": (255, 50, 50),
    "C#": (255, 100, 30),
    "D": (255, 160, 0),
    "D#": (255, 200, 0),
    "E": (255, 230, 0),
    "F": (50, 200, 50),
    "F#": (50, 160, 120),
    "G": (50, 120, 255),
    "G#": (90, 80, 220),
    "A": (130, 50, 200),
    "A#": (160, 50, 220),
    "B": (180, 80, 255),
}
KEYS = ("cvdsefwgraqb", "htiyjkulompn")
COLUMNS, PAD, GAP, RADIUS, OPACITY = 4, (90, 130), 10, 6, round(0.92 * 255)
LEFTS, PADS_TOP, BRIGHTER = (170, 640), 60, 40
NOTE, KEY = Style(Face.BOLD, 13), Style(Face.MONO, 11)
LABEL, LABEL_Y, LABEL_COLOR = Style(Face.MONO, 14), 40, (146, 144, 152)
TITLE, TITLE_Y, TITLE_COLOR = Style(Face.BOLD, 48, spacing=4), 540, "#e8e4de"
LINES = (
    (Style(Face.MONO, 16), 570, "split-layout chromatic piano", (158, 156, 163)),
    (Style(Face.MONO, 14), 605, "aesthetic.computer/notepat", (110, 108, 120)),
)
EDGE, CREST, WAVE_OPACITY = (0x60, 0x80, 0xFF, 0.15), (0x80, 0x90, 0xFF, 0.35), 0.6


def compose(shown: Sequence[Shown] = ()) -> Image.Image:
    card = gradient(SIZE, TOP, BOTTOM)
    _wave(card)
    for octave, (left, keys) in enumerate(zip(LEFTS, KEYS, strict=True)):
        _octave(card, left, keys, octave)
    pen, middle = ImageDraw.Draw(card), SIZE[0] / 2
    draw(pen, (middle, TITLE_Y), "notepat", TITLE, TITLE_COLOR, "middle")
    for style, y, text, color in LINES:
        draw(pen, (middle, y), text, style, color, "middle")
    return card


def _wave(card: Image.Image) -> None:
    points = [(60 + 9.0 * i, 100 + 18 * math.sin(0.15 * i) + 12 * math.cos(0.08 * i)) for i in range(121)]
    mask = smooth_mask((SIZE[0], 200), [(points, 2)])
    row = Image.new("RGBA", (SIZE[0], 1))
    for x in range(SIZE[0]):
        part = 1 - abs(min(1.0, max(0.0, (x - 60) / 1080)) - 0.5) * 2  # 0 at both ends, 1 in the middle
        red, green, blue, opacity = (a + (b - a) * part for a, b in zip(EDGE, CREST, strict=True))
        row.putpixel((x, 0), (round(red), round(green), round(blue), round(opacity * WAVE_OPACITY * 255)))
    colors = row.resize(mask.size)
    colors.putalpha(Image.composite(colors.getchannel("A"), Image.new("L", mask.size, 0), mask))
    veil(card, (0, 0, *mask.size), colors)


def _octave(card: Image.Image, left: int, keys: str, octave: int) -> None:
    for index, (note, color) in enumerate(NOTES.items()):
        row, column = divmod(index, COLUMNS)
        x, y = left + column * (PAD[0] + GAP), PADS_TOP + row * (PAD[1] + GAP)
        red, green, blue = (min(255, part + BRIGHTER * octave) for part in color)
        _pad(card, (x, y), (red, green, blue), note, keys[index])
    wide = COLUMNS * (PAD[0] + GAP) - GAP
    draw(ImageDraw.Draw(card), (left + wide / 2, LABEL_Y), f"octave {4 + octave}", LABEL, LABEL_COLOR, "middle")


def _pad(card: Image.Image, at: tuple[int, int], color: tuple[int, int, int], note: str, key: str) -> None:
    x, y = at
    large = Image.new("L", (PAD[0] * 4, PAD[1] * 4), 0)
    ImageDraw.Draw(large).rounded_rectangle((0, 0, PAD[0] * 4 - 1, PAD[1] * 4 - 1), RADIUS * 4, fill=OPACITY)
    card.paste(color, at, large.resize(PAD, Image.Resampling.BOX))
    bright = any(name in note for name in "EF")
    ink = (0, 0, 0) if bright else (255, 255, 255)
    strength = 0.70 if bright else 0.85
    pen, middle = ImageDraw.Draw(card), x + PAD[0] / 2
    draw(pen, (middle, y + 18), note.replace("#", "♯"), NOTE, mixed(color, ink, strength), "middle")
    draw(pen, (middle, y + PAD[1] - 8), key, KEY, mixed(color, ink, strength * 0.70), "middle")
