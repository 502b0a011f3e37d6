"""The fonts of the cards, and which characters each of them has."""

from __future__ import annotations

import struct
from bisect import bisect_right
from enum import Enum
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

FONTS = Path(__file__).resolve().parent / "fonts"
_FALLBACK = ("NotoEmoji-Medium", "DejaVuSans", "DroidSansFallback")
_WINDOWS, _BMP, _FULL = 3, 1, 10


class Face(Enum):
    """A typeface with those that stand in for what it lacks, in order."""

    MONO = ("JetBrainsMono-Regular", *_FALLBACK)
    BOLD = ("JetBrainsMono-Bold", *_FALLBACK)
    BRAND = ("ComicRelief-Bold", "JetBrainsMono-Bold", *_FALLBACK)

    def font_name(self, char: str) -> str | None:
        """The first of its fonts that has the character."""
        return next((name for name in self.value if covers(name, char)), None)


def covers(name: str, char: str) -> bool:
    starts, ends = _ranges(name)
    at = bisect_right(starts, ord(char)) - 1
    return at >= 0 and ord(char) <= ends[at]


@lru_cache(maxsize=64)
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Basic layout: the other one depends on what the machine has installed."""
    return ImageFont.truetype(FONTS / f"{name}.ttf", size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=16)
def _ranges(name: str) -> tuple[list[int], list[int]]:
    """First and last code points of what a font has, from its `cmap` table (OpenType, formats 4 and 12)."""
    data = (FONTS / f"{name}.ttf").read_bytes()
    cmap = _table(data, b"cmap")
    tables: dict[tuple[int, int], int] = {}
    for index in range(struct.unpack_from(">H", data, cmap + 2)[0]):
        platform, encoding, offset = struct.unpack_from(">HHL", data, cmap + 4 + 8 * index)
        tables[platform, encoding] = cmap + offset
    if (at := tables.get((_WINDOWS, _FULL))) is not None:
        count = struct.unpack_from(">L", data, at + 12)[0]
        groups = [struct.unpack_from(">LL", data, at + 16 + 12 * index) for index in range(count)]
    else:
        groups = _segments(data, tables[_WINDOWS, _BMP])
    groups.sort()
    return [first for first, _ in groups], [last for _, last in groups]


def _segments(data: bytes, at: int) -> list[tuple[int, ...]]:
    """Format 4: the last one is a mark, not characters."""
    count = struct.unpack_from(">H", data, at + 6)[0] // 2
    ends = struct.unpack_from(f">{count}H", data, at + 14)
    starts = struct.unpack_from(f">{count}H", data, at + 16 + 2 * count)
    return [(first, last) for first, last in zip(starts, ends, strict=True) if first != 0xFFFF]


def _table(data: bytes, tag: bytes) -> int:
    """Where a table of the file begins."""
    for index in range(struct.unpack_from(">H", data, 4)[0]):
        at = 12 + 16 * index
        if data[at : at + 4] == tag:
            return int(struct.unpack_from(">L", data, at + 8)[0])
    raise ValueError(f"this font has no table {tag!r}")
