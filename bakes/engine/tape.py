"""A tape, looked through before anything is decoded: which members are frames, how large, how long, what sound."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from bakes.engine import soundtrack
from bakes.engine.archive import Archive
from bakes.engine.directory import Member, shown
from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.headers import HEAD, BrokenPicture, Header, look
from bakes.engine.soundtrack import Sound
from bakes.engine.spec import TapeLimits
from bakes.engine.timing import Timing, assumed, parse_timing, refuse_long

FRAME_NAME = re.compile(r"frame-([0-9]{1,9})\.(?:png|webp)")
TIMING, SOUND = "timing.json", "soundtrack.wav"
RATIO_FREE = 1 << 20  # bytes that a frame may unpack to at whatever ratio
LOOKS = 100  # frames looked at between two reports


class Tape:
    """Opens and checks a tape; raises BakeError for whatever the limits or good sense forbid. Use as a context.

    `size` is that of every frame. `broken` holds the indexes of frames that cannot be shown; more may turn out while
    decoding.
    """

    def __init__(self, path: Path, limits: TapeLimits, looked: Callable[[int, int], None] = lambda *_: None) -> None:
        self._limits = limits
        self._archive = Archive(path, limits)
        self.notes: list[str] = []
        self.broken: set[int] = set()
        try:
            others = {member.name: member for member in self._archive.members}
            self.frames = _frames(self._archive.members)
            self.timing = self._read_timing(others.get(TIMING))
            self._sound_member = others.get(SOUND)
            self.sound = self._measure_sound()
            self.size = self._look_at_frames(looked)
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def read(self, index: int) -> bytes:
        """The bytes of one frame; raises BrokenPicture where the ZIP itself is damaged there."""
        try:
            return self._archive.read(self.frames[index])
        except BakeError as error:
            if error.code is not ErrorCode.DAMAGED:
                raise
            raise BrokenPicture("it is damaged in the ZIP") from None

    def samples(self) -> Iterator[bytes]:
        """The soundtrack's samples, in whole blocks."""
        if self.sound and self._sound_member:
            yield from soundtrack.samples(self._archive.stream(self._sound_member), self.sound)

    def give_up_frame(self, index: int, why: str) -> None:
        """Counts a frame that cannot be shown; raises BakeError when the tape cannot do without it."""
        self.broken.add(index)
        name, count = shown(self.frames[index].name), len(self.frames)
        if index == 0:
            raise BakeError(ErrorCode.FRAME_BROKEN, f"The first frame, {name}, is broken: {why}.")
        if len(self.broken) > max(1, int(count * self._limits.broken_share)):
            message = f"{len(self.broken):,} of {count:,} frames are broken, the last found is {name}: {why}."
            raise BakeError(ErrorCode.FRAME_BROKEN, message)
        self.notes.append(f"Frame {name} is broken ({why}): the one before is shown instead.")

    def _read_timing(self, member: Member | None) -> Timing:
        if member is None:
            timing = assumed(len(self.frames))
        else:
            limit = self._limits.timing_bytes
            if member.size > limit:
                message = f"timing.json is {member.size:,} bytes; at most {limit:,} are allowed."
                raise BakeError(ErrorCode.TIMING_TOO_LARGE, message)
            timing = parse_timing(self._archive.read(member), [frame.name for frame in self.frames])
        refuse_long(timing, self._limits)
        self.notes += timing.notes
        return timing

    def _measure_sound(self) -> Sound | None:
        if self._sound_member is None:
            return None
        sound = soundtrack.measure(self._archive.stream(self._sound_member), self._limits)
        if not sound.samples:
            self.notes.append("soundtrack.wav holds no samples: the video has no sound.")
            return None
        if sound.cut_off:
            self.notes.append("soundtrack.wav ends before the length it declares.")
        return sound

    def _look_at_frames(self, looked: Callable[[int, int], None]) -> tuple[int, int]:
        size: tuple[int, int] | None = None
        for index, member in enumerate(self.frames):
            header = self._look(member)
            if not header.whole:
                self.give_up_frame(index, "its header is cut off")
                continue
            size = size or header.size
            if header.size != size:
                change = f"is {header.width}x{header.height}, the frames before are {size[0]}x{size[1]}"
                raise BakeError(ErrorCode.FRAME_SIZE_CHANGED, f"Frame {shown(member.name)} {change}.")
            if index % LOOKS == 0:
                looked(index, len(self.frames))
        assert size is not None  # the first frame must not be broken
        return size

    def _look(self, member: Member) -> Header:
        self._refuse_bytes(member)
        header = look(self._archive.head(member, HEAD))
        if not header.kind:
            message = f"Frame {shown(member.name)} is not a PNG or WebP picture."
            raise BakeError(ErrorCode.FRAME_NOT_PICTURE, message)
        side = self._limits.frame_side
        if max(header.size) > side:
            message = (
                f"Frame {shown(member.name)} is {header.width}x{header.height}; at most {side:,} a side are allowed."
            )
            raise BakeError(ErrorCode.FRAME_SIDE, message)
        return header

    def _refuse_bytes(self, member: Member) -> None:
        if member.size > self._limits.frame_bytes:
            message = f"is {member.size:,} bytes; at most {self._limits.frame_bytes:,} are allowed"
            raise BakeError(ErrorCode.FRAME_TOO_LARGE, f"Frame {shown(member.name)} {message}.")
        if member.size > RATIO_FREE and member.size > member.packed * self._limits.ratio:
            message = f"unpacks to more than {self._limits.ratio} times its size"
            raise BakeError(ErrorCode.RATIO, f"Frame {shown(member.name)} {message}, as no picture does.")


def _frames(members: list[Member]) -> list[Member]:
    """The frames by their numbers."""
    by_number: dict[int, Member] = {}
    for member in members:
        if match := FRAME_NAME.fullmatch(member.name):
            other = by_number.setdefault(int(match[1]), member)
            if other is not member:
                message = f"{shown(other.name)} and {shown(member.name)} are both frame {int(match[1])}."
                raise BakeError(ErrorCode.DUPLICATE, message)
    if not by_number:
        message = "The tape has no frames: no member is called frame-00000.png, frame-00000.webp or the like."
        raise BakeError(ErrorCode.NO_FRAMES, message)
    return [by_number[number] for number in sorted(by_number)]
