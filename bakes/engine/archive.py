"""A ZIP file that is read in place: members as streams that never yield more than they declared."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from bakes.engine.directory import ENCRYPTED_FLAGS, STORED, Member, broken, read_directory, shown
from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.spec import TapeLimits

LOCAL = struct.Struct("<4s5H3L2H")
BLOCK = 256 << 10  # bytes read, and bytes unpacked, in one go


class Archive:
    """Opens a ZIP and checks all that can be checked without unpacking. Raises BakeError; use as a context."""

    def __init__(self, path: Path, limits: TapeLimits) -> None:
        size = path.stat().st_size
        if size > limits.zip_bytes:
            message = f"The tape is {size:,} bytes; at most {limits.zip_bytes:,} are allowed."
            raise BakeError(ErrorCode.ZIP_TOO_LARGE, message)
        self._file = path.open("rb")
        try:
            self.members = read_directory(self._file, limits)
            self._refuse_unpacked_size(limits)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def head(self, member: Member, length: int) -> bytes:
        """The first bytes, unverified; fewer where the member is shorter or damaged."""
        self._seek(member)
        packed = self._file.read(min(member.packed, length + 512))
        if member.method == STORED:
            return packed[:length]
        try:
            return zlib.decompressobj(-15).decompress(packed, length)
        except zlib.error:
            return b""

    def read(self, member: Member) -> bytes:
        """The whole member, verified. Its declared size is the bound: check that first."""
        return b"".join(self.stream(member))

    def stream(self, member: Member) -> Iterator[bytes]:
        """The member in blocks; each is handed out before the checksum at the end is known.

        Raises BakeError: DAMAGED (checksum, compressed data), FALSE_SIZE (more or fewer bytes than declared).
        """
        produced, checksum = 0, 0
        for block in self._blocks(member):
            produced += len(block)
            if produced > member.size:
                raise _false_size(member, "more")
            checksum = zlib.crc32(block, checksum)
            yield block
        if produced < member.size:
            raise _false_size(member, "less")
        if checksum != member.crc:
            raise _damaged(member, "its checksum is wrong")

    def _blocks(self, member: Member) -> Iterator[bytes]:
        """Unpacked blocks. Places itself anew for each, so that several members may be streamed in turns."""
        position, left = self._seek(member), member.packed
        unpack = None if member.method == STORED else zlib.decompressobj(-15)
        while left:
            self._file.seek(position)
            packed = self._file.read(min(BLOCK, left))
            if not packed:
                raise BakeError(ErrorCode.TRUNCATED, f"The tape's ZIP is cut off in member {shown(member.name)}.")
            position, left = position + len(packed), left - len(packed)
            yield from _unpacked(unpack, packed, member) if unpack else (packed,)
        if unpack and not unpack.eof:
            raise _damaged(member, "its compressed data ends early")

    def _seek(self, member: Member) -> int:
        """Goes to the member's data, after a look whether its own header agrees with the list."""
        self._file.seek(member.offset)
        header = self._file.read(LOCAL.size)
        if len(header) < LOCAL.size or not header.startswith(b"PK\3\4"):
            raise broken(f"member {shown(member.name)} is not where the list says")
        _, _, flags, method, _, _, _, _, _, name_length, extra_length = LOCAL.unpack(header)
        name = self._file.read(name_length)
        if name != member.raw_name:
            raise broken(f"member {shown(member.name)} calls itself {shown(name.decode('cp437'))}")
        if flags & ENCRYPTED_FLAGS:
            raise BakeError(ErrorCode.ENCRYPTED, f"Member {shown(member.name)} is encrypted: tapes must not be.")
        if method != member.method:
            raise broken(f"member {shown(member.name)} names two ways of compression")
        return self._file.seek(member.offset + LOCAL.size + name_length + extra_length)

    def _refuse_unpacked_size(self, limits: TapeLimits) -> None:
        """Declared sizes are enough here: a stream that yields more than it declared is stopped."""
        total = sum(member.size for member in self.members)
        if total > limits.unpacked_bytes:
            message = f"The tape unpacks to {total:,} bytes; at most {limits.unpacked_bytes:,} are allowed."
            raise BakeError(ErrorCode.UNPACKED_TOO_LARGE, message)


def _unpacked(unpack: zlib._Decompress, packed: bytes, member: Member) -> Iterator[bytes]:
    try:
        while packed and not unpack.eof:
            yield unpack.decompress(packed, BLOCK)
            packed = unpack.unconsumed_tail
        if unpack.unused_data:
            raise _false_size(member, "less")
    except zlib.error:
        raise _damaged(member, "its compressed data is corrupt") from None


def _false_size(member: Member, which: str) -> BakeError:
    message = f"Member {shown(member.name)} holds {which} than the {member.size:,} bytes it declares."
    return BakeError(ErrorCode.FALSE_SIZE, message)


def _damaged(member: Member, how: str) -> BakeError:
    return BakeError(ErrorCode.DAMAGED, f"Member {shown(member.name)} is damaged: {how}.")
