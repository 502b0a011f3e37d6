"""The picture that stands in while a grab is baking."""

from __future__ import annotations

import io
import math
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from captures.engine.spec import Format

TOP, BOTTOM = (30, 30, 40), (50, 50, 70)
AMBER, WHITE = (255, 180, 50), (255, 255, 255)


@lru_cache(maxsize=64)
def placeholder(format_: Format, width: int, height: int, piece: str, position: int, wait_ms: int) -> bytes:
    """Says that it is baking, where in the queue, and for about how long. Bytes of a still in the asked format."""
    image = _ground(width, height)
    draw = ImageDraw.Draw(image, "RGBA")
    seconds = math.ceil(wait_ms / 1000)
    estimate = f"~{seconds}s" if seconds <= 60 else f"~{math.ceil(seconds / 60)}m"
    lines = [
        (0.40, "oven", max(12, width // 10), (*AMBER, 255)),
        (0.55, f"#{position} in queue" if position else "baking...", max(10, width // 14), (*WHITE, 255)),
        (0.70, piece.removeprefix("$")[:12], max(8, width // 18), (*WHITE, 153)),
        (0.85, estimate, max(8, width // 20), (*AMBER, 204)),
    ]
    for at, text, size, color in lines:
        draw.text((width / 2, height * at), text, fill=color, font=ImageFont.load_default(size), anchor="mm")
    return _encode(image, format_)


def frozen_placeholder(width: int, height: int, piece: str) -> Image.Image:
    """Return a picture that says that a piece is frozen; for one of which there is no good frame."""
    image = _ground(width, height)
    draw = ImageDraw.Draw(image, "RGBA")
    lines = [
        (0.40, "frozen", max(10, width // 10), (*AMBER, 255)),
        (0.60, piece.removeprefix("$")[:12], max(8, width // 14), (*WHITE, 255)),
        (0.78, "no picture yet", max(8, width // 20), (*WHITE, 153)),
    ]
    for at, text, size, color in lines:
        draw.text((width / 2, height * at), text, fill=color, font=ImageFont.load_default(size), anchor="mm")
    return image


def _ground(width: int, height: int) -> Image.Image:
    ramp = Image.linear_gradient("L").rotate(45, expand=False).resize((width, height))
    return Image.composite(Image.new("RGB", (width, height), BOTTOM), Image.new("RGB", (width, height), TOP), ramp)


def _encode(image: Image.Image, format_: Format) -> bytes:
    out = io.BytesIO()
    if format_ is Format.WEBP:
        image.save(out, "WEBP", quality=80)
    elif format_ is Format.GIF:
        image.quantize(64).save(out, "GIF")
    else:
        image.save(out, "PNG")
    return out.getvalue()
