"""What a picture file says of itself, and a PNG without what no frame needs. Nothing is decoded."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

HEAD = 64  # bytes that are enough for `look`
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
NEEDED_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
TRUECOLOR, TRUECOLOR_ALPHA = 2, 6


class BrokenPicture(ValueError):
    """A picture that cannot be shown; says why in a few words."""


@dataclass(frozen=True, slots=True)
class Header:
    kind: str  # "png", "webp", or "" for anything else
    width: int = 0  # 0: the header is cut off or makes no sense
    height: int = 0

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def whole(self) -> bool:
        return self.width > 0 and self.height > 0


def look(head: bytes) -> Header:
    """Kind and size from a file's first HEAD bytes. An empty file counts as a PNG that was cut off."""
    if head.startswith(PNG_SIGNATURE):
        return Header("png", *_png_size(head))
    if PNG_SIGNATURE.startswith(head[:8]):
        return Header("png")
    if head.startswith(b"RIFF") and head[8:12] in (b"WEBP", b""):
        return Header("webp", *_webp_size(head))
    return Header("")


def _png_size(head: bytes) -> tuple[int, int]:
    if len(head) < 24 or head[12:16] != b"IHDR":
        return 0, 0
    width, height = struct.unpack(">2L", head[16:24])
    return width, height


def _webp_size(head: bytes) -> tuple[int, int]:
    if len(head) < 30:
        return 0, 0
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<2H", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def essential(png: bytes) -> tuple[bytes, bool]:
    """The PNG without text, profiles, animation and the like, and whether it is plain 8-bit RGB or RGBA.

    What is dropped could unpack to any size, or ask for colours that the recorder never saw. Raises BrokenPicture
    for a wrong checksum and for a file that ends early.
    """
    kept, plain, dropped = [png[:8]], False, False
    for kind, chunk in _chunks(png):
        if kind == b"IHDR":
            plain = len(chunk) == 25 and chunk[16] == 8 and chunk[17] in (TRUECOLOR, TRUECOLOR_ALPHA)
        plain = plain and kind != b"tRNS"
        if kind in NEEDED_CHUNKS:
            kept.append(bytes(chunk))
        else:
            dropped = True
    return (b"".join(kept) if dropped else png), plain


def _chunks(png: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Every chunk whole (length, kind, data, checksum), up to and with IEND."""
    view, at = memoryview(png), 8
    while at + 12 <= len(png):
        length = int.from_bytes(view[at : at + 4], "big")
        chunk = view[at : at + 12 + length]
        if len(chunk) < 12 + length:
            break
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise BrokenPicture("a checksum is wrong")
        kind = bytes(chunk[4:8])
        yield kind, chunk
        if kind == b"IEND":
            return
        at += 12 + length
    raise BrokenPicture("it ends early")
