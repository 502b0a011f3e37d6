"""Animated WebP: every frame a whole still, put into the container as it comes.

Whole frames, because libwebp's delta encoder drifts (visibly, within 60 frames) and saves nothing on moving pictures.
In this process, because starting ffmpeg costs as much as encoding ten frames.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

from captures.engine.encode.base import Encoder, Frame, duration_at
from captures.engine.spec import CaptureSpec

METHOD = 2  # the knee: 4 takes twice as long for 5 % of the size
LOOP_FOR_EVER = b"\x00\x00\x00\x00" + b"\x00\x00"  # background, count
ANIMATION, ALPHA = 0x02, 0x10
DO_NOT_BLEND = 0x02


class WebpEncoder(Encoder):
    """Frame times are whole milliseconds, rounded such that no error adds up."""

    _file: BinaryIO | None = None
    _previous: tuple[bytes, bytes] = (b"", b"")  # a frame, and its chunks: pieces often stand still for a while

    async def start(self) -> None:
        self._file = self.path.open("wb")
        self._file.write(_head(self.spec))

    async def finish(self) -> None:
        assert self._file is not None
        end = self._file.tell()
        self._file.seek(4)
        self._file.write((end - 8).to_bytes(4, "little"))
        self._file.close()

    async def abort(self) -> None:
        if self._file is not None:
            self._file.close()

    def encode(self, frame: Frame) -> None:
        assert self._file is not None
        if frame.data != self._previous[0]:
            self._previous = (
                frame.data,
                encode_frame(self.spec, frame.image if self.spec.transparent else frame.opaque),
            )
        width, height = self.spec.pixel_size
        duration = duration_at(self.frames, self.spec.playback_fps, 1000)
        place = b"".join(value.to_bytes(3, "little") for value in (0, 0, width - 1, height - 1, duration))
        self._file.write(_chunk(b"ANMF", place + bytes([DO_NOT_BLEND]) + self._previous[1]))
        self.frames += 1


def encode_frame(spec: CaptureSpec, image: Image.Image) -> bytes:
    """The picture's chunks (`VP8 `, or `ALPH` and `VP8 `) without their container."""
    if image.size != spec.pixel_size:
        image = image.resize(spec.pixel_size, Image.Resampling.NEAREST)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=spec.quality, method=METHOD)
    return b"".join(
        _chunk(name, data) for name, data in chunks(out.getvalue()) if name in (b"ALPH", b"VP8 ", b"VP8L")
    )


def chunks(riff: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of a WebP file's chunks."""
    at = 12
    while at + 8 <= len(riff):
        size = int.from_bytes(riff[at + 4 : at + 8], "little")
        yield riff[at : at + 4], riff[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _head(spec: CaptureSpec) -> bytes:
    """The container up to the first frame; the length is filled in at the end."""
    width, height = spec.pixel_size
    flags = ANIMATION | (ALPHA if spec.transparent else 0)
    canvas = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    features = bytes([flags, 0, 0, 0]) + canvas
    return b"RIFF\x00\x00\x00\x00WEBP" + _chunk(b"VP8X", features) + _chunk(b"ANIM", LOOP_FOR_EVER)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + b"\x00" * (len(data) % 2)
