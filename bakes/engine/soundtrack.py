"""A WAV file as a stream: what it holds, how long it is, its samples; never the whole of it in memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.spec import TapeLimits

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
CODECS = {
    (PCM, 8): "pcm_u8",
    (PCM, 16): "pcm_s16le",
    (PCM, 24): "pcm_s24le",
    (PCM, 32): "pcm_s32le",
    (FLOAT, 32): "pcm_f32le",
    (FLOAT, 64): "pcm_f64le",
}
RATES = range(4_000, 192_001)
MOST_CHANNELS = 8
MOST_CHUNKS = 100  # before the samples
UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)  # of recorders that cannot go back to fill it in: to the end of the file


@dataclass(frozen=True, slots=True)
class Sound:
    """`samples` are counted for one channel; `start` is where they begin in the file, `block` bytes each."""

    codec: str
    rate: int
    channels: int
    block: int
    start: int
    samples: int
    cut_off: bool = False  # the header promised more

    @property
    def duration_ms(self) -> float:
        return self.samples * 1000 / self.rate


class _Reader:
    """Exact counts of bytes out of a stream of blocks."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""
        self.position = 0

    def take(self, count: int) -> bytes:
        """So many bytes, or fewer at the end."""
        while len(self._rest) < count and (block := next(self._blocks, b"")):
            self._rest += block
        taken, self._rest = self._rest[:count], self._rest[count:]
        self.position += len(taken)
        return taken

    def skip(self, count: int) -> None:
        while count > len(self._rest):
            count -= len(self._rest)
            self.position += len(self._rest)
            self._rest = next(self._blocks, b"")
            if not self._rest:
                return
        self.take(count)

    def remaining(self) -> Iterator[bytes]:
        yield self._rest
        yield from self._blocks


def measure(blocks: Iterator[bytes], limits: TapeLimits) -> Sound:
    """Reads a WAV to its end and says what it holds.

    Raises BakeError: SOUND_BROKEN, SOUND_TOO_LONG (as soon as the header or the bytes say so).
    """
    reader = _Reader(blocks)
    if len(riff := reader.take(12)) < 12 or riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
        raise broken("it is not a WAV file")
    sound, promised = _header(reader)
    if promised is not None:
        _refuse_long(sound, promised, limits)
    counted = 0
    for block in reader.remaining():
        counted += len(block)
        _refuse_long(sound, counted if promised is None else min(counted, promised), limits)
    length = counted if promised is None else min(counted, promised)
    cut_off = promised is not None and counted < promised
    start, samples = sound.start, length // sound.block
    return Sound(sound.codec, sound.rate, sound.channels, sound.block, start, samples, cut_off)


def samples(blocks: Iterator[bytes], sound: Sound) -> Iterator[bytes]:
    """The sample data of a WAV that was measured before, in whole blocks."""
    reader = _Reader(blocks)
    reader.skip(sound.start)
    left, rest = sound.samples * sound.block, b""
    for block in reader.remaining():
        data = rest + block[: left - len(rest)]
        whole = len(data) - len(data) % sound.block
        rest = data[whole:]
        left -= whole
        if whole:
            yield data[:whole]
        if not left:
            return


def broken(what: str) -> BakeError:
    return BakeError(ErrorCode.SOUND_BROKEN, f"soundtrack.wav cannot be used: {what}.")


def _header(reader: _Reader) -> tuple[Sound, int | None]:
    """The format, and how many bytes of samples are promised (None: not known)."""
    described: Sound | None = None
    for _ in range(MOST_CHUNKS):
        if len(head := reader.take(8)) < 8:
            raise broken("it ends before its samples begin")
        kind, length = head[:4], struct.unpack("<L", head[4:])[0]
        if kind == b"data":
            if described is None:
                raise broken("its samples come before their description")
            promised = None if length in UNKNOWN_LENGTHS else length
            return _placed(described, reader.position), promised
        if kind == b"fmt ":
            described = _format(reader.take(min(length, 40)))
            reader.skip(max(0, length - 40) + length % 2)
        else:
            reader.skip(length + length % 2)
    raise broken(f"more than {MOST_CHUNKS} chunks stand before its samples")


def _placed(sound: Sound, start: int) -> Sound:
    return Sound(sound.codec, sound.rate, sound.channels, sound.block, start, 0)


def _format(data: bytes) -> Sound:
    if len(data) < 16:
        raise broken("the description of its samples is cut off")
    kind, channels, rate, _, block, bits = struct.unpack_from("<2H2L2H", data)
    if kind == EXTENSIBLE and len(data) >= 26:
        (kind,) = struct.unpack_from("<H", data, 24)
    codec = CODECS.get((kind, bits))
    if codec is None:
        raise broken(f"samples of kind {kind} with {bits} bits are not read")
    if not 1 <= channels <= MOST_CHANNELS or rate not in RATES or block != channels * bits // 8:
        raise broken(f"{channels} channels at {rate} Hz in blocks of {block} bytes make no sense")
    return Sound(codec, rate, channels, block, 0, 0)


def _refuse_long(sound: Sound, length: int, limits: TapeLimits) -> None:
    seconds = length / sound.block / sound.rate
    if seconds > limits.sound_s:
        message = f"soundtrack.wav is at least {seconds:,.1f} s long; at most {limits.sound_s:g} s are allowed."
        raise BakeError(ErrorCode.SOUND_TOO_LONG, message)
