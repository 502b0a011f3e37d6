"""ZIPs that lie, and what is put into them: written byte by byte, as no library would."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from tests.bakes.engine.tapes import encoded, picture, png

MB = 1 << 20


@dataclass
class Zip:
    """A ZIP written byte by byte, so that it can lie."""

    path: Path
    lists: bytearray = field(default_factory=bytearray)
    count: int = 0

    def __post_init__(self) -> None:
        self.file = self.path.open("wb")

    def __enter__(self) -> Zip:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.file.closed:
            self.finish()

    def add(
        self,
        name: str | bytes,
        data: bytes = b"",
        *,
        packed: bytes | None = None,
        size: int | None = None,
        crc: int | None = None,
        method: int | None = None,
        flags: int = 0,
        mode: int = 0,
        local_name: bytes | None = None,
        offset: int | None = None,
        extra: bytes = b"",
        listed_packed: int | None = None,
    ) -> None:
        """`packed` bytes are written as they are, deflated unless `method` says else; the rest are lies."""
        raw_name = name if isinstance(name, bytes) else name.encode()
        flags |= 0 if isinstance(name, bytes) else 0x800
        method = (8 if packed is not None else 0) if method is None else method
        body = data if packed is None else packed
        size = len(data) if size is None else size
        crc = zlib.crc32(data) if crc is None else crc
        place = self.file.tell()
        own = raw_name if local_name is None else local_name
        self.file.write(struct.pack("<4s5H3L2H", b"PK\3\4", 20, flags, method, 0, 0, crc, len(body), 0, len(own), 0))
        self.file.write(own + body)
        length = len(body) if listed_packed is None else listed_packed
        numbers = (0x314, 20, flags, method, 0, 0, crc, length, size, len(raw_name), len(extra), 0, 0, 0)
        self.lists += struct.pack("<4s6H3L5H2L", b"PK\1\2", *numbers, mode << 16, place if offset is None else offset)
        self.lists += raw_name + extra
        self.count += 1

    def finish(self, count: int | None = None, comment: bytes = b"", shift: int = 0, disk: int = 0) -> None:
        count = self.count if count is None else count
        start = self.file.tell()
        self.file.write(self.lists)
        record = (disk, disk, count, count, len(self.lists), start + shift, len(comment))
        self.file.write(struct.pack("<4s4H2LH", b"PK\5\6", *record) + comment)
        self.file.close()

    def finish_64(self, count: int | None = None, locator: int | None = None) -> None:
        count = self.count if count is None else count
        start = self.file.tell()
        self.file.write(self.lists)
        where = self.file.tell()
        self.file.write(struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(self.lists), start))
        self.file.write(struct.pack("<4sLQL", b"PK\6\7", 0, where if locator is None else locator, 1))
        self.file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
        self.file.close()


def deflated(size: int, start: bytes = b"", fill: bytes = b"\0") -> tuple[bytes, int]:
    """A few kilobytes that unpack to `start` and then `size` bytes of one kind, and their checksum."""
    pack = zlib.compressobj(6, zlib.DEFLATED, -15)
    block, (count, rest) = fill * MB, divmod(size, MB)
    first = pack.compress(start) + pack.flush(zlib.Z_FULL_FLUSH)
    one = pack.compress(block) + pack.flush(
        zlib.Z_FULL_FLUSH
    )  # it refers to nothing before it, so it can be repeated
    last = pack.compress(block[:rest]) + pack.flush()
    crc = zlib.crc32(start)
    for _ in range(count):
        crc = zlib.crc32(block, crc)
    return first + one * count + last, zlib.crc32(block[:rest], crc)


def fake_png(width: int, height: int) -> bytes:
    """A right header, and nothing of what it promises."""
    header = b"IHDR" + struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">L", 13) + header + struct.pack(">L", zlib.crc32(header))


def good(file: Zip, count: int = 4) -> Zip:
    for index in range(count):
        file.add(f"frame-{index:05d}.png", png(index))
    return file


def text_bomb() -> bytes:
    """A small PNG with a text chunk that unpacks to 100 MB: baked like any other, its text never looked at."""
    data = encoded(picture())
    pack = zlib.compressobj(9)
    text = b"zTXtnote\0\0" + b"".join(pack.compress(b"x" * MB) for _ in range(100)) + pack.flush()
    chunk = struct.pack(">L", len(text) - 4) + text + struct.pack(">L", zlib.crc32(text))
    return data[:33] + chunk + data[33:]
