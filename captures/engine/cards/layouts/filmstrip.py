"""Five moments of one piece."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from captures.engine.cards.faces import Face
from captures.engine.cards.paint import cover, ground, smooth_mask
from captures.engine.cards.spec import SIZE, Shot, Shown
from captures.engine.cards.text import Style, clean, draw, fit

SIDE, MOMENTS = 200, 5
SHOT = Shot(SIDE, SIDE, density=2, at_ms=2000, frames=MOMENTS, every_ms=800)
PIECES = 1
GROUND, LEFT, STEP, TOP, FRAME = (20, 20, 30), 60, 220, 180, 2
ARROW, ARROW_TOP = (20, 30), 265
TITLE, TITLE_Y = Style(Face.BOLD, 36), 100
LINE, LINE_Y, LINE_COLOR = Style(Face.MONO, 24), 560, "#cccccc"


def compose(shown: Sequence[Shown]) -> Image.Image:
    card, frames = ground(GROUND), shown[0].frames
    pen = ImageDraw.Draw(card)
    arrow = smooth_mask(ARROW, [([(6, 5), (14, 15), (6, 25)], 3.5)])
    for index in range(MOMENTS):
        x = LEFT + index * STEP
        pen.rectangle((x - FRAME, TOP - FRAME, x + SIDE + FRAME - 1, TOP + SIDE + FRAME - 1), fill="white")
        card.paste(cover(frames[min(index, len(frames) - 1)], (SIDE, SIDE)), (x, TOP))
        if index:
            card.paste("white", (x - ARROW[0], ARROW_TOP), arrow)
    middle = SIZE[0] / 2
    draw(pen, (middle, TITLE_Y), "KidLisp.com", TITLE, "white", "middle")
    line = fit(clean(shown[0].piece.byline), LINE, SIZE[0] - 2 * LEFT)
    draw(pen, (middle, LINE_Y), line, LINE, LINE_COLOR, "middle")
    return card
