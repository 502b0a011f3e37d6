"""From captured pieces to a card's file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from PIL import Image

from captures.engine.cards.layouts import backdrop, code_split, featured, filmstrip, mosaic, notepat
from captures.engine.cards.spec import Layout, Shot, Shown

_MODULES: dict[Layout, ModuleType] = {
    Layout.MOSAIC: mosaic,
    Layout.FEATURED: featured,
    Layout.FILMSTRIP: filmstrip,
    Layout.CODE_SPLIT: code_split,
    Layout.NOTEPAT: notepat,
    Layout.BACKDROP: backdrop,
}
COMPRESSION = 6


class Unreadable(ValueError):
    """A capture's file is no picture that could be shown."""


def shot_of(layout: Layout) -> Shot | None:
    """How the layout wants its pieces captured; None when it shows none."""
    shot: Shot | None = _MODULES[layout].SHOT
    return shot


def pieces_of(layout: Layout) -> int:
    """How many pieces it shows."""
    count: int = _MODULES[layout].PIECES
    return count


def compose(layout: Layout, shown: Sequence[Shown]) -> bytes:
    """A composed card as PNG, in the size of all cards."""
    card: Image.Image = _MODULES[layout].compose(shown)
    out = io.BytesIO()
    card.save(out, "PNG", compress_level=COMPRESSION)
    return out.getvalue()


def frames_of(source: Path | io.BytesIO, most: int) -> list[Image.Image]:
    """The first frames of a captured file. Raises Unreadable."""
    try:
        with Image.open(source) as picture:
            found = []
            for index in range(min(most, getattr(picture, "n_frames", 1))):
                picture.seek(index)
                found.append(picture.convert("RGBA"))
            return found
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable(str(error)) from error
