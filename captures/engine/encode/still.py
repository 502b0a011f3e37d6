"""One picture: the still formats, and the posters of lists."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from captures.engine.encode.base import Frame
from captures.engine.encode.gif import quantize
from captures.engine.look import flatten
from captures.engine.spec import CaptureSpec, Format

POSTER_SIDE = 192
PERCEPTUAL = 0  # the rendering intent


def encode_still(spec: CaptureSpec, image: Image.Image, path: Path) -> None:
    """Write one picture in the spec's format and size."""
    image = image if spec.transparent else flatten(image)
    if image.size != spec.pixel_size:
        image = image.resize(spec.pixel_size, Image.Resampling.NEAREST)
    if spec.format is Format.WEBP:
        image.save(path, "WEBP", quality=spec.quality, method=4)
    elif spec.format is Format.GIF:
        quantize(image).save(path, "GIF")
    else:
        image.save(path, "PNG", compress_level=6, pnginfo=_srgb())


def encode_one_frame(image: Image.Image, format_: Format) -> bytes:
    """Return a file of one picture in any of the formats; an MP4 shows it for a second."""
    if format_ is Format.MP4:
        return _one_second(flatten(image))
    out = io.BytesIO()
    if format_ is Format.GIF:
        quantize(flatten(image)).save(out, "GIF")
    elif format_ is Format.WEBP:
        image.save(out, "WEBP", quality=80, method=2)
    else:
        image.save(out, "PNG", compress_level=3, pnginfo=_srgb())
    return out.getvalue()


def _one_second(image: Image.Image) -> bytes:
    import av  # some 30 MB of memory, which most processes never need

    out = io.BytesIO()
    width, height = image.width + image.width % 2, image.height + image.height % 2
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=1, options={"preset": "ultrafast", "tune": "stillimage"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        image = image.resize((width, height)) if image.size != (width, height) else image
        frame = av.VideoFrame.from_bytes(image.convert("RGBA").tobytes(), width, height, format="rgba")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return out.getvalue()


def _srgb() -> PngInfo:
    """Return the chunk that says which colours the numbers are."""
    info = PngInfo()
    info.add(b"sRGB", bytes([PERCEPTUAL]))
    return info


def encode_poster(frame: Frame) -> bytes:
    """Return a small WebP of a frame, for lists."""
    if frame.decoded is None:
        image: Image.Image = Image.open(io.BytesIO(frame.data))
        image.draft("RGB", (POSTER_SIDE, POSTER_SIDE))  # reduces JPEGs while decoding
    else:
        image = frame.decoded.copy()
    image = image if image.mode in ("RGB", "RGBA") else image.convert("RGB")
    image.thumbnail((POSTER_SIDE, POSTER_SIDE))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=75, method=2)
    return out.getvalue()
