"""A frame's bytes to an opaque picture of libav's: RGB, or RGBA without a transparent pixel.

Eight-bit RGB and RGBA PNG, which is what recorders write, are decoded by libav: twice as fast as Pillow. All else
(WebP, palettes, gray, 16 bits, transparency) goes through Pillow.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import av
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from PIL import Image

from bakes.engine.headers import BrokenPicture, Header, essential, look

# What Pillow raises for data it cannot make sense of. Not Exception: that would swallow a job's timeout.
PILLOW_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError, struct.error),
    Image.DecompressionBombError,
)


class Decoder:
    """Decodes the frames of one tape."""

    def __init__(self) -> None:
        codec = av.CodecContext.create("png", "r")
        assert isinstance(codec, VideoCodecContext)
        codec.thread_count = 1  # one frame at a time: threads would only hold frames back
        self._png = codec

    def decode(self, data: bytes, size: tuple[int, int]) -> av.VideoFrame:
        """The frame as "rgb24" or "rgba"; raises BrokenPicture."""
        header = look(data)
        if header.size != size:
            raise BrokenPicture("its header is cut off")
        if header.kind == "png":
            data, plain = essential(data)
            if plain:
                return _without_alpha(self._decode_plain(data, size))
        return to_frame(_flat(_open(data, header)))

    def _decode_plain(self, data: bytes, size: tuple[int, int]) -> av.VideoFrame:
        packet = av.Packet(data)
        packet.is_keyframe = True  # else libav adds the frame to the one before, as in an animated PNG
        try:
            (frame,) = self._png.decode(packet)
        except (FFmpegError, ValueError):
            raise BrokenPicture("its pixels cannot be decoded") from None
        if (frame.width, frame.height) != size or frame.format.name not in ("rgb24", "rgba"):
            raise BrokenPicture("it is not what its header says")
        return frame


def to_image(frame: av.VideoFrame) -> Image.Image:
    """The frame as a Pillow picture of its own, without a look at its transparency."""
    return _view(frame).convert("RGB").copy()


def _view(frame: av.VideoFrame) -> Image.Image:
    """The frame's own memory as a picture, where Pillow can (RGBA)."""
    mode = "RGBA" if frame.format.name == "rgba" else "RGB"
    plane = frame.planes[0]
    memory: Any = plane  # offers the buffer protocol
    return Image.frombuffer(mode, (frame.width, frame.height), memory, "raw", mode, plane.line_size, 1)


def to_frame(image: Image.Image) -> av.VideoFrame:
    frame = av.VideoFrame(image.width, image.height, "rgb24")
    frame.planes[0].update(image.tobytes("raw", "RGB", frame.planes[0].line_size))
    return frame


def _without_alpha(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame on black, where it has transparent pixels."""
    if frame.format.name == "rgb24":
        return frame
    image = _view(frame)
    if image.getchannel("A").getextrema() == (255, 255):
        return frame
    return to_frame(_flat(image))


def _open(data: bytes, header: Header) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=(header.kind.upper(),))
        if image.size != header.size:
            raise BrokenPicture("it is not what its header says")
        image.load()
    except PILLOW_ERRORS as error:
        raise BrokenPicture(str(error)[:100] or type(error).__name__) from None
    return image


def _flat(image: Image.Image) -> Image.Image:
    """RGB, transparent parts on black, 16 bits reduced to 8."""
    if image.mode.startswith("I"):
        return _from_16_bits(image)
    if "transparency" in image.info or image.mode in ("LA", "PA", "La"):
        image = image.convert("RGBA")
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGB", image.size)
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _from_16_bits(gray: Image.Image) -> Image.Image:
    """Pillow would clip at 255; the upper byte of each sample is what is wanted."""
    little_endian = gray.tobytes("raw", "I;16")
    return Image.frombytes("L", gray.size, little_endian[1::2]).convert("RGB")
