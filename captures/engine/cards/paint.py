"""Shapes that several layouts draw."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageOps

from captures.engine.cards.spec import SIZE
from captures.engine.cards.text import Color

SMOOTH = 4  # shapes are drawn so many times larger, and reduced


def ground(color: Color) -> Image.Image:
    return Image.new("RGB", SIZE, color)


def flat(picture: Image.Image) -> Image.Image:
    """Without transparency: on black, as a screen would show it."""
    if picture.mode == "RGB":
        return picture
    shown = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "black"), shown).convert("RGB")


def cover(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Fills the size, its middle in the middle; what is over is cut off."""
    picture = flat(picture)
    return picture if picture.size == size else ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def gradient(size: tuple[int, int], top: tuple[int, ...], bottom: tuple[int, ...]) -> Image.Image:
    """From top to bottom, RGB or RGBA."""
    height = size[1]
    column = Image.new("RGBA" if len(top) == 4 else "RGB", (1, height))
    for y in range(height):
        column.putpixel((0, y), mixed(top, bottom, y / max(1, height - 1)))
    return column.resize(size)


def mixed(under: tuple[int, ...], over: tuple[int, ...], part: float) -> tuple[int, ...]:
    """A colour with so much of another one over it."""
    return tuple(round(a + (b - a) * part) for a, b in zip(under, over, strict=True))


def veil(
    picture: Image.Image, box: tuple[int, int, int, int], layer: Image.Image | tuple[int, int, int, int]
) -> None:
    """Lays a half-transparent colour or picture over a box."""
    size = (box[2] - box[0], box[3] - box[1])
    over = layer if isinstance(layer, Image.Image) else Image.new("RGBA", size, layer)
    under = picture.crop(box).convert("RGBA")
    picture.paste(Image.alpha_composite(under, over).convert("RGB"), box[:2])


def smooth_mask(size: tuple[int, int], lines: list[tuple[list[tuple[float, float]], float]]) -> Image.Image:
    """Anti-aliased strokes as a mask: points and width of each."""
    large = Image.new("L", (size[0] * SMOOTH, size[1] * SMOOTH), 0)
    pen = ImageDraw.Draw(large)
    for points, stroke in lines:
        scaled = [(x * SMOOTH, y * SMOOTH) for x, y in points]
        pen.line(scaled, fill=255, width=round(stroke * SMOOTH), joint="curve")
        for x, y in (scaled[0], scaled[-1]):
            radius = stroke * SMOOTH / 2
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return large.resize(size, Image.Resampling.BOX)
