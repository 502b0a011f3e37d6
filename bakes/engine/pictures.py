"""The small pictures that a bake yields beside the video: previews on the way, and the thumbnail."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageOps

from bakes.engine.spec import PREVIEW_SIDE

THUMBNAIL_SIDE = 512
THUMBNAIL_QUALITY = 90
PREVIEW_QUALITY = 60


def preview(image: Image.Image) -> bytes:
    """A square JPEG for live pages, whatever the picture's shape: they know it and stretch it back."""
    if (times := min(image.size) // PREVIEW_SIDE) > 1:
        image = image.reduce(times)
    out = io.BytesIO()
    image.resize((PREVIEW_SIDE, PREVIEW_SIDE)).save(out, "JPEG", quality=PREVIEW_QUALITY)
    return out.getvalue()


def save_thumbnail(image: Image.Image, times: int, path: Path) -> None:
    """The picture enlarged like the video, fitted into a black square. Raises OSError."""
    large = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    fitted = ImageOps.contain(large, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    left, top = ((THUMBNAIL_SIDE - side) // 2 for side in fitted.size)
    square.paste(fitted, (left, top))
    square.save(path, "JPEG", quality=THUMBNAIL_QUALITY)
