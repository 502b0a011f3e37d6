"""Content identifiers of files, as IPFS nodes make them: chunked, as UnixFS in dag-pb, under a balanced tree.

The same bytes have another CID under another chunk size, number of links or kind of leaf, so what a service answers
is looked for among those of every profile in use. Formats: the multiformats CID specification, the UnixFS and dag-pb
schemas. A file is read once, whatever its size, and held in memory by one chunk.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

READ = 1 << 18  # every profile's chunk is a multiple of it
DAG_PB, RAW = 0x70, 0x55
SHA2_256 = bytes([0x12, 32])  # the multihash's prefix: which digest, and its length
UNIXFS_FILE = 2
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Profile:
    """How a node turns a file into blocks. `chunk` in bytes; `links` is the most that one node has."""

    name: str
    version: int
    chunk: int
    links: int
    raw_leaves: bool


PROFILES = (
    Profile("v1-256k", 1, 256 << 10, 174, True),
    Profile("v0-256k", 0, 256 << 10, 174, False),
    Profile("v1-1m", 1, 1 << 20, 1024, True),
    Profile("v1-1m-174", 1, 1 << 20, 174, True),
)
BY_VERSION = {1: PROFILES[0], 0: PROFILES[1]}  # what we ask services for


class BadCid(ValueError):
    """Not a CID of a file, or one of a kind that no service for files hands out."""


@dataclass(frozen=True, slots=True)
class Cid:
    """What identifies content: two texts with equal `codec` and `digest` (SHA-256) name the same blocks."""

    codec: int
    digest: bytes

    def text(self, version: int) -> str:
        """Base58 without a prefix in version 0, which knows dag-pb only; base32 in version 1."""
        if version == 0:
            return _base58(SHA2_256 + self.digest)
        binary = bytes([1, self.codec]) + SHA2_256 + self.digest
        return "b" + base64.b32encode(binary).decode().lower().rstrip("=")

    @property
    def texts(self) -> tuple[str, ...]:
        """Every form in which our own answers spell it."""
        return (self.text(1), self.text(0)) if self.codec == DAG_PB else (self.text(1),)


def parse(text: str) -> Cid:
    """Reads base58 (both versions) and base32. Raises BadCid."""
    if len(text) > 100:
        raise BadCid("A CID has less than 100 characters.")
    if text.startswith("Qm"):
        binary = bytes([1, DAG_PB]) + _from_base58(text)
    elif text.startswith("z"):
        binary = _from_base58(text[1:])
    elif text[:1] in ("b", "B"):
        binary = _from_base32(text[1:])
    else:
        raise BadCid("A CID begins with Qm, b or z.")
    if len(binary) != 36 or binary[0] != 1 or binary[1] not in (DAG_PB, RAW) or binary[2:4] != SHA2_256:
        raise BadCid("This is not the CID of a file (dag-pb or raw, by SHA-256).")
    return Cid(binary[1], binary[4:])


def of_file(path: Path, profiles: Iterable[Profile] = PROFILES) -> dict[str, Cid]:
    """The CIDs of a file, by the names of the profiles. Reads it once."""
    with path.open("rb") as file:
        return of_chunks(iter(lambda: file.read(READ), b""), profiles)


def of_chunks(pieces: Iterator[bytes], profiles: Iterable[Profile] = PROFILES) -> dict[str, Cid]:
    """The same of bytes that come in pieces of any length."""
    builders = [_Builder(profile) for profile in profiles]
    for piece in pieces:
        for builder in builders:
            builder.feed(piece)
    return {builder.profile.name: builder.finish() for builder in builders}


@dataclass(frozen=True, slots=True)
class _Block:
    """A block as its parent links to it: its CID's bytes, bytes of file and bytes of blocks beneath and in it."""

    cid: Cid
    binary: bytes
    file_bytes: int
    dag_bytes: int


class _Builder:
    """One profile's tree. Full groups of blocks become nodes at once, so few are held at each level."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._rest = bytearray()
        self._levels: list[list[_Block]] = [[]]

    def feed(self, piece: bytes) -> None:
        self._rest += piece
        while len(self._rest) >= self.profile.chunk:
            self._add(0, self._leaf(bytes(self._rest[: self.profile.chunk])))
            del self._rest[: self.profile.chunk]

    def finish(self) -> Cid:
        if self._rest or (not self._levels[0] and len(self._levels) == 1):  # an empty file is one empty leaf
            self._add(0, self._leaf(bytes(self._rest)))
        level = 0
        while level < len(self._levels) - 1 or len(self._levels[level]) > 1:
            if self._levels[level]:
                self._close(level)
            level += 1
        return self._levels[level][0].cid

    def _add(self, level: int, block: _Block) -> None:
        """A full group stays open until its successor comes: the last group of all may be the root's."""
        if len(self._levels[level]) == self.profile.links:
            self._close(level)
        self._levels[level].append(block)

    def _close(self, level: int) -> None:
        group, self._levels[level] = self._levels[level], []
        if level + 1 == len(self._levels):
            self._levels.append([])
        self._add(level + 1, self._node(group))

    def _leaf(self, data: bytes) -> _Block:
        if self.profile.raw_leaves:
            return self._block(RAW, data, len(data), 0)
        return self._block(DAG_PB, _pb_node([], _unixfs(data, len(data), [])), len(data), 0)

    def _node(self, children: list[_Block]) -> _Block:
        sizes = [child.file_bytes for child in children]
        data = _pb_node(children, _unixfs(b"", sum(sizes), sizes))
        return self._block(DAG_PB, data, sum(sizes), sum(child.dag_bytes for child in children))

    def _block(self, codec: int, data: bytes, file_bytes: int, beneath: int) -> _Block:
        cid = Cid(codec, hashlib.sha256(data).digest())
        prefix = b"" if self.profile.version == 0 else bytes([1, codec])
        return _Block(cid, prefix + SHA2_256 + cid.digest, file_bytes, len(data) + beneath)


def _pb_node(children: list[_Block], data: bytes) -> bytes:
    """A dag-pb node: its links, in their order, then its data."""
    links = [
        _field(1, child.binary) + _field(2, b"") + _number(3, child.dag_bytes)  # hash, empty name, size
        for child in children
    ]
    return b"".join(_field(2, link) for link in links) + _field(1, data)


def _unixfs(data: bytes, size: int, child_sizes: list[int]) -> bytes:
    message = _number(1, UNIXFS_FILE)
    if data:
        message += _field(2, data)
    return message + _number(3, size) + b"".join(_number(4, child) for child in child_sizes)


def _field(tag: int, data: bytes) -> bytes:
    return bytes([tag << 3 | 2]) + _varint(len(data)) + data


def _number(tag: int, value: int) -> bytes:
    return bytes([tag << 3]) + _varint(value)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _base58(data: bytes) -> str:
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = BASE58[digit] + digits
    return digits


def _from_base58(text: str) -> bytes:
    number = 0
    for char in text:
        digit = BASE58.find(char)
        if digit < 0:
            raise BadCid(f"{char!r} is not part of base58.")
        number = number * 58 + digit
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _from_base32(text: str) -> bytes:
    try:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except ValueError:
        raise BadCid("It has characters that are not part of base32.") from None
