"""The list of members at the end of a ZIP, read with every number doubted.

Python's `zipfile` makes an object of every member before it can be asked how many there are, and believes what the
list says about sizes and places. A tape comes from strangers: the list is bounded before it is read, and read once,
so that no second reader can understand it differently.
"""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
from dataclasses import dataclass
from typing import BinaryIO

from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.spec import TapeLimits

STORED, DEFLATED = 0, 8
END = struct.Struct("<4s4H2LH")
END_64_LOCATOR = struct.Struct("<4sLQL")
END_64 = struct.Struct("<4sQ2H2L4Q")
ENTRY = struct.Struct("<4s6H3L5H2L")
LONGEST_COMMENT = 0xFFFF
SEE_ZIP64 = 0xFFFFFFFF
ENCRYPTED_FLAGS = 0x1 | 0x40
UTF8_FLAG = 0x800
AES = 99
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class Member:
    """One member as the list has it. `size` is what it may unpack to at most, `offset` that of its local header."""

    name: str
    raw_name: bytes
    method: int
    crc: int
    packed: int
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class End:
    """Where the list is, as the last record of the file says."""

    count: int
    size: int
    offset: int
    position: int  # where the closing records begin: the list must end there


def read_directory(file: BinaryIO, limits: TapeLimits) -> list[Member]:
    """All members in the order of the list; raises BakeError for everything a tape has no business with."""
    end = _find_end(file)
    if end.count > limits.members:
        raise too_many(f"{end.count:,}", limits)
    if end.size > limits.directory_bytes:
        what = f"its list of members is {end.size:,} bytes long; at most {limits.directory_bytes:,} are allowed"
        raise BakeError(ErrorCode.DIRECTORY, f"The tape's ZIP is refused: {what}.")
    if end.offset + end.size != end.position:
        raise broken("the list of members is not where the end of the file says")
    file.seek(end.offset)
    members = _entries(file.read(end.size), limits)
    if len(members) != end.count:
        raise broken(f"it claims {end.count:,} members and lists {len(members):,}")
    _refuse_duplicates(members)
    _refuse_overlaps(members, end.offset)
    return members


def broken(what: str) -> BakeError:
    return BakeError(ErrorCode.DIRECTORY, f"The tape's ZIP is broken: {what}.")


def too_many(count: str, limits: TapeLimits) -> BakeError:
    message = f"The tape has {count} members; at most {limits.members:,} are allowed."
    return BakeError(ErrorCode.TOO_MANY_MEMBERS, message)


def shown(name: str) -> str:
    """A member's name, fit for a sentence: quoted, short, nothing invisible."""
    return repr(name if len(name) <= 80 else name[:77] + "...")


def _find_end(file: BinaryIO) -> End:
    size = file.seek(0, 2)
    start = max(0, size - END.size - LONGEST_COMMENT)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        if at + END.size <= len(tail):
            record = END.unpack_from(tail, at)
            if start + at + END.size + record[7] == size:
                return _end(file, start + at, record)
        at = tail.rfind(b"PK\5\6", 0, at)
    raise _no_end(file, size)


def _no_end(file: BinaryIO, size: int) -> BakeError:
    if not size:
        return BakeError(ErrorCode.NOT_A_ZIP, "The tape is an empty file.")
    file.seek(0)
    if file.read(4) == b"PK\3\4":
        return BakeError(ErrorCode.TRUNCATED, "The tape's ZIP is cut off: the list of members at its end is missing.")
    return BakeError(ErrorCode.NOT_A_ZIP, "The tape is not a ZIP file.")


def _end(file: BinaryIO, position: int, record: tuple[bytes, int, int, int, int, int, int, int]) -> End:
    _, disk, first_disk, here, count, size, offset, _ = record
    if 0xFFFF in (here, count) or SEE_ZIP64 in (size, offset):
        return _end_64(file, position)
    if disk or first_disk or here != count:
        raise broken("it is one part of several")
    return End(count, size, offset, position)


def _end_64(file: BinaryIO, position: int) -> End:
    try:
        file.seek(max(0, position - END_64_LOCATOR.size))
        signature, _, where, _ = END_64_LOCATOR.unpack(file.read(END_64_LOCATOR.size))
        if signature != b"PK\6\7" or where > position - END_64_LOCATOR.size - END_64.size:
            raise broken("the large-file record is missing")
        file.seek(where)
        record = END_64.unpack(file.read(END_64.size))
    except struct.error:
        raise broken("the large-file record is cut off") from None
    if record[0] != b"PK\6\6" or record[4] or record[5] or record[6] != record[7]:
        raise broken("the large-file record makes no sense")
    return End(record[7], record[8], record[9], where)


def _entries(data: bytes, limits: TapeLimits) -> list[Member]:
    members: list[Member] = []
    at = 0
    while at < len(data):
        if len(members) == limits.members:
            raise too_many(f"more than {limits.members:,}", limits)
        member, at = _entry(data, at)
        members.append(member)
    return members


def _entry(data: bytes, at: int) -> tuple[Member, int]:
    try:
        fields = ENTRY.unpack_from(data, at)
    except struct.error:
        raise broken("the list of members is cut off") from None
    signature, _, _, flags, method, _, _, crc, packed, size, *lengths, _, _, mode, offset = fields
    name_end = at + ENTRY.size + lengths[0]
    extra_end = name_end + lengths[1]
    if signature != b"PK\1\2" or extra_end + lengths[2] > len(data):
        raise broken("the list of members is cut off or overwritten")
    raw_name = data[at + ENTRY.size : name_end]
    name = _name(raw_name, flags)
    _refuse_special(name, flags, method, mode >> 16)
    size, packed, offset = _large(name, data[name_end:extra_end], size, packed, offset)
    if method == STORED and size != packed:
        says = f"says it is {size:,} bytes and takes {packed:,} without being compressed"
        raise BakeError(ErrorCode.FALSE_SIZE, f"Member {shown(name)} {says}.")
    return Member(name, raw_name, method, crc, packed, size, offset), extra_end + lengths[2]


def _name(raw: bytes, flags: int) -> str:
    try:
        name = raw.decode("utf-8" if flags & UTF8_FLAG else "cp437")
    except UnicodeDecodeError:
        message = f"A member's name is not valid text: {shown(raw.decode('latin-1'))}."
        raise BakeError(ErrorCode.MEMBER_NAME, message) from None
    plain = unicodedata.normalize("NFKC", name).replace("\\", "/")
    climbs = plain.startswith("/") or DRIVE.match(plain) or ".." in plain.split("/")
    if not name or climbs or any(ord(char) < 32 for char in name):
        message = f"Member {shown(name)} is refused: its name leaves the tape's folder or cannot be a file's."
        raise BakeError(ErrorCode.MEMBER_NAME, message)
    return name


def _refuse_special(name: str, flags: int, method: int, mode: int) -> None:
    if flags & ENCRYPTED_FLAGS or method == AES:
        raise BakeError(ErrorCode.ENCRYPTED, f"Member {shown(name)} is encrypted: tapes must not be.")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BakeError(ErrorCode.LINK, f"Member {shown(name)} is a link or a device, not a file.")
    if method not in (STORED, DEFLATED):
        message = f"Member {shown(name)} is compressed by method {method}: only stored and deflated are read."
        raise BakeError(ErrorCode.METHOD, message)


def _large(name: str, extra: bytes, *values: int) -> list[int]:
    """Size, packed size and offset, where each that is all ones stands in the large-file field instead."""
    if SEE_ZIP64 not in values:
        return list(values)
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            words = iter(struct.unpack_from(f"<{min(length, len(extra) - 4) // 8}Q", extra, 4))
            large = [next(words, -1) if value == SEE_ZIP64 else value for value in values]
            if -1 not in large:
                return large
        extra = extra[4 + length :]
    raise broken(f"member {shown(name)} lacks its large-file field")


def _refuse_duplicates(members: list[Member]) -> None:
    seen: set[str] = set()
    for member in members:
        if member.name in seen:
            raise BakeError(ErrorCode.DUPLICATE, f"Member {shown(member.name)} is in the tape twice.")
        seen.add(member.name)


def _refuse_overlaps(members: list[Member], end: int) -> None:
    """Members that share bytes make a small file unpack to a huge one."""
    free, before = 0, ""
    for member in sorted(members, key=lambda member: member.offset):
        if member.offset < free:
            message = f"Members {shown(before)} and {shown(member.name)} share the same bytes of the ZIP."
            raise BakeError(ErrorCode.OVERLAP, message)
        free = member.offset + 30 + len(member.raw_name) + member.packed
        before = member.name
        if free > end:
            message = f"The tape's ZIP is cut off: member {shown(member.name)} reaches beyond the end of the data."
            raise BakeError(ErrorCode.TRUNCATED, message)
