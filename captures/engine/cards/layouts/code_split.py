"""A piece beside its source."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageOps

from captures.engine.cards.faces import Face
from captures.engine.cards.paint import cover, ground, veil
from captures.engine.cards.spec import SIZE, Piece, Shot, Shown
from captures.engine.cards.text import Style, clean, draw, fit, width

SHOT = Shot(650, 500, density=1, at_ms=4000)
PIECES = 1
GROUND, PANEL, MARGIN = (26, 26, 46), 500, 20
HEAD, HEAD_Y, HEAD_COLOR = Style(Face.MONO, 14), 40, "#666666"
CODE, CODE_Y, CODE_STEP, CODE_COLOR, LINES = Style(Face.MONO, 18), 80, 28, "#88ff88", 12
ART, ART_AT, BORDER, BORDER_COLOR = (600, 450), (525, 25), 4, (80, 80, 100)
BAR, BAR_MARGIN, GAP = 60, 24, 48
SITE, BRAND = "KidLisp.com", Style(Face.BOLD, 24)
LINE, LINE_COLOR = Style(Face.MONO, 18), "#aaaaaa"
EXAMPLE = "wipe midnightblue\nink gold\nbox w/4 h/4 w/2 h/2"


def compose(shown: Sequence[Shown]) -> Image.Image:
    card, piece = ground(GROUND), shown[0].piece
    pen = ImageDraw.Draw(card)
    _code(pen, piece)
    art = ImageOps.expand(cover(shown[0].frames[0], ART), BORDER, BORDER_COLOR)
    card.paste(art, ART_AT)
    right, bottom = SIZE
    veil(card, (0, bottom - BAR, right, bottom), (0, 0, 0, 204))
    baseline = bottom - BAR / 2 + BRAND.size // 3
    draw(pen, (BAR_MARGIN, baseline), SITE, BRAND, "white")
    room = right - 2 * BAR_MARGIN - GAP - width(SITE, BRAND)
    line = fit(clean(f"{piece.name} · {piece.plays}"), LINE, room)
    draw(pen, (right - BAR_MARGIN, baseline), line, LINE, LINE_COLOR, "right")
    return card


def _code(pen: ImageDraw.ImageDraw, piece: Piece) -> None:
    room = PANEL - 2 * MARGIN
    draw(pen, (MARGIN, HEAD_Y), fit(clean(f"; {piece.name}"), HEAD, room), HEAD, HEAD_COLOR)
    for index, line in enumerate(code_lines(piece.source)):
        draw(pen, (MARGIN, CODE_Y + index * CODE_STEP), fit(line, CODE, room), CODE, CODE_COLOR)


def code_lines(source: str) -> list[str]:
    """The first lines of a program, dots for the rest; an example for a piece without a source."""
    lines = [clean(line) for line in (source.strip() or EXAMPLE).splitlines()[: LINES + 1]]
    return [*lines[:LINES], "..."] if len(lines) > LINES else lines
