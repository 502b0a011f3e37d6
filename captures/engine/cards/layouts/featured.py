"""One piece, as large as the card, and what it is called."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from captures.engine.cards.faces import Face
from captures.engine.cards.paint import cover, gradient, veil
from captures.engine.cards.spec import SIZE, Shot, Shown
from captures.engine.cards.text import Style, clean, draw, fit, width

SHOT = Shot(*SIZE, density=1, at_ms=4000)
PIECES = 1
BAR, MARGIN, GAP = 100, 24, 48
BRAND, SITE = Style(Face.BOLD, 28), "KidLisp.com"
LINE, LINE_COLOR = Style(Face.MONO, 20), "#cccccc"


def compose(shown: Sequence[Shown]) -> Image.Image:
    card = cover(shown[0].frames[0], SIZE)
    card = card.copy()
    right, bottom = SIZE
    veil(card, (0, bottom - BAR, right, bottom), gradient((right, BAR), (0, 0, 0, 0), (0, 0, 0, 217)))
    pen = ImageDraw.Draw(card)
    draw(pen, (MARGIN, bottom - MARGIN), SITE, BRAND, "white")
    room = right - 2 * MARGIN - GAP - width(SITE, BRAND)
    line = fit(clean(shown[0].piece.byline), LINE, room)
    draw(pen, (right - MARGIN, bottom - MARGIN), line, LINE, LINE_COLOR, "right")
    return card
