"""Animated GIF: a palette for every frame, written as the frames come."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from PIL import GifImagePlugin, Image, ImageChops

from captures.engine.encode.base import Encoder, Frame, duration_at, fitted
from captures.engine.spec import CaptureSpec

LOOP_FOR_EVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
TRAILER = b";"


class GifEncoder(Encoder):
    """Frames are reduced to 256 colours each and dithered; only the part that changed is stored.

    A GIF's clock has hundredths of a second: delays alternate so that the whole keeps its speed.
    """

    def __init__(self, spec: CaptureSpec, path: Path) -> None:
        super().__init__(spec, path)
        self._file: BinaryIO | None = None
        self._previous: Image.Image | None = None

    async def start(self) -> None:
        self._file = self.path.open("wb")

    async def finish(self) -> None:
        assert self._file is not None
        self._file.write(TRAILER)
        self._file.close()

    async def abort(self) -> None:
        if self._file is not None:
            self._file.close()

    def encode(self, frame: Frame) -> None:
        assert self._file is not None
        image = fitted(frame.opaque, self.spec.pixel_size)
        box = (0, 0, *image.size)
        if self._previous is None:
            self._file.write(_header(image.size))
        else:
            box = ImageChops.difference(image, self._previous).getbbox() or (0, 0, 1, 1)
        delay = duration_at(self.frames, self.spec.playback_fps, 100)
        part = quantize(image.crop(box))
        blocks = GifImagePlugin.getdata(part, box[:2], duration=delay * 10, disposal=1, include_color_table=True)
        self._file.writelines(blocks)
        self._previous = image
        self.frames += 1


def quantize(image: Image.Image) -> Image.Image:
    """256 colours of the image's own, with error diffusion."""
    palette = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _header(size: tuple[int, int]) -> bytes:
    width, height = size
    screen = width.to_bytes(2, "little") + height.to_bytes(2, "little") + b"\x00\x00\x00"
    return b"GIF89a" + screen + LOOP_FOR_EVER
