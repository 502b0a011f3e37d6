"""Sixteen pieces, out of focus, behind the site's name and their own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

from PIL import Image, ImageFilter

from captures.engine.cards.brand import lay_brand, lay_labels
from captures.engine.cards.paint import cover, ground
from captures.engine.cards.spec import SIZE, Shot, Shown

SIDE = 4
PIECES = SIDE * SIDE
TILE = (300, 158)
SHOT = Shot(*TILE, density=0.5, at_ms=4000)
BLUR, DARK = 8, 0.35


def compose(shown: Sequence[Shown]) -> Image.Image:
    """With no piece at all it is the site's name alone."""
    card = ground("black")
    for index, tile in enumerate(islice(cycle(shown), PIECES)):
        row, column = divmod(index, SIDE)
        card.paste(cover(tile.frames[0], TILE), (column * SIZE[0] // SIDE, row * SIZE[1] // SIDE))
    card = Image.blend(card.filter(ImageFilter.GaussianBlur(BLUR)), ground("black"), DARK)
    lay_labels(card, [tile.piece.code for tile in shown])
    lay_brand(card)
    return card
