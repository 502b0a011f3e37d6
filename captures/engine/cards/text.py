"""Text of anybody's making, on a card: cleaned, every character drawn by a font that has it, cut to its place."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from itertools import groupby

from PIL import ImageDraw

from captures.engine.cards.faces import Face, font

MISSING = "\N{REPLACEMENT CHARACTER}"
DOTS = "…"
TAB = "  "
SKIN_TONES = range(0x1F3FB, 0x1F400)
# Controls, directions, joiners, marks, private and unassigned characters: drawn one by one, they mean nothing.
DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me"}

Color = str | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Style:
    """`size` and `spacing` (between letters) are pixels."""

    face: Face
    size: int
    spacing: float = 0.0


def clean(text: str, limit: int = 200) -> str:
    """One line of at most `limit` characters that can be drawn; no markup means anything here."""
    text = unicodedata.normalize("NFC", text[: 4 * limit]).replace("\t", TAB)
    text = "".join(" " if char in "\n\r\u2028\u2029" else char for char in text)
    return "".join(char for char in text if _drawable(char))[:limit]


def _drawable(char: str) -> bool:
    return unicodedata.category(char) not in DROPPED and ord(char) not in SKIN_TONES


def runs(text: str, face: Face) -> list[tuple[str, str]]:
    """Font names and the stretches of text they draw; what no font has becomes one visible sign."""
    named = [(face.font_name(char), char) for char in text]
    primary = face.value[0]
    sure = [(name, char) if name else (face.font_name(MISSING) or primary, MISSING) for name, char in named]
    return [(name, "".join(char for _, char in part)) for name, part in groupby(sure, key=lambda pair: pair[0])]


def width(text: str, style: Style) -> float:
    """In pixels, from the first letter's origin to the end of the last."""
    drawn = sum(font(name, style.size).getlength(part) for name, part in runs(text, style.face))
    return drawn + style.spacing * max(0, len(text) - 1)


def fit(text: str, style: Style, most: float) -> str:
    """The text, or as much of its beginning as the place allows, and dots."""
    if width(text, style) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle].rstrip() + DOTS, style) <= most:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + DOTS


def shrink(text: str, style: Style, most: float, least: int) -> Style:
    """The style at the largest size, down to `least`, in which the text fits."""
    while style.size > least and width(text, style) > most:
        style = replace(style, size=style.size - 1)
    return style


def draw(
    canvas: ImageDraw.ImageDraw, at: tuple[float, float], text: str, style: Style, fill: Color, align: str = "left"
) -> float:
    """Draws on a baseline; `at` is its left end, middle or right end. Returns where the text ends."""
    x, y = at
    if align != "left":
        x -= width(text, style) / (2 if align == "middle" else 1)
    for name, part in runs(text, style.face):
        face = font(name, style.size)
        for piece in part if style.spacing else [part]:
            canvas.text((round(x), y), piece, fill=fill, font=face, anchor="ls")
            x += face.getlength(piece) + style.spacing
    return x - style.spacing if text else x
