"""One tape through decoder, enlarger and encoder, frame by frame, with the sound beside it.

There are no threads of ours: while one frame is read and decoded here, the encoder's own work on those before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av

from bakes.engine.decode import Decoder, to_image
from bakes.engine.enlarge import Enlarger, factor
from bakes.engine.headers import BrokenPicture
from bakes.engine.mp4 import Mp4
from bakes.engine.pictures import preview, save_thumbnail
from bakes.engine.spec import BakeResult, BakeSpec, OnProgress, Progress
from bakes.engine.sync import synchronize
from bakes.engine.tape import Tape
from bakes.engine.timing import CLOCK, ticks

PREVIEW_EVERY_S = 0.25
HIGHEST_RATE = 240  # frames a second the encoder is told of; more would only ask players for a higher level
FIRST_PERCENT, LAST_PERCENT = 1, 98


class Run:
    """Bakes an opened tape once. `report` may raise: the encoder is let go of then, the files are the caller's."""

    def __init__(self, spec: BakeSpec, tape: Tape, video: Path, thumbnail: Path, report: OnProgress) -> None:
        self._spec, self._tape, self._report = spec, tape, report
        self._video, self._thumbnail, self._thumbnail_error = video, thumbnail, ""
        self._sync = synchronize(tape.timing, tape.sound, spec.sync_within)
        self._ticks = ticks(tape.timing.durations, self._sync.scale)
        count = len(tape.frames)
        self._times = factor(*tape.size, count, spec.enlarge, spec.limits)
        self._decoder, self._enlarger = Decoder(), Enlarger(*tape.size, self._times)
        self._data = b""
        self._frame: av.VideoFrame | None = None  # as decoded last, and enlarged:
        self._enlarged: av.VideoFrame | None = None
        self._previewed = 0.0

    def run(self) -> BakeResult:
        mp4 = Mp4(self._video, self._enlarger.size, self._rate(), self._spec, self._tape.sound)
        try:
            samples, count = self._tape.samples(), len(self._tape.frames)
            for index, (start, end) in enumerate(pairwise(self._ticks)):
                mp4.add_frame(self._show(index), start, end, closing=index >= count - 2)
                _add_samples(mp4, samples, end * 1000 / CLOCK)
                self._tell(index + 1)
            while _add_samples(mp4, samples, mp4.sound_ms + 1):  # of a sound that outlasts the picture
                self._tell(count)
            mp4.finish()
        finally:
            mp4.abort()
        return self._result()

    def _show(self, index: int) -> av.VideoFrame:
        """The enlarged frame; the one before where this one is the same, or broken."""
        self._load(index)
        if index == len(self._tape.frames) // 2:
            self._make_thumbnail()
        assert self._enlarged is not None  # a broken first frame ends the bake
        return self._enlarged

    def _load(self, index: int) -> None:
        if index in self._tape.broken:
            return
        try:
            data = self._tape.read(index)
            if data == self._data:
                return
            self._frame = self._decoder.decode(data, self._tape.size)
        except BrokenPicture as error:
            self._tape.give_up_frame(index, str(error))
            return
        self._data, self._enlarged = data, self._enlarger.enlarge(self._frame)

    def _make_thumbnail(self) -> None:
        assert self._frame is not None
        try:
            save_thumbnail(to_image(self._frame), self._times, self._thumbnail)
        except OSError as error:
            self._thumbnail_error = str(error) or type(error).__name__

    def _tell(self, done: int) -> None:
        total = len(self._tape.frames)
        percent = FIRST_PERCENT + (LAST_PERCENT - FIRST_PERCENT) * done // total
        self._report(Progress("processing", percent, f"frame {done:,} of {total:,}", done, total, self._preview()))

    def _preview(self) -> bytes | None:
        now = time.monotonic()
        if now - self._previewed < PREVIEW_EVERY_S or self._frame is None:
            return None
        self._previewed = now
        return preview(to_image(self._frame))

    def _rate(self) -> Fraction:
        """The average, which the encoder's rate control asks for; times are each frame's own."""
        average = Fraction(len(self._tape.frames) * CLOCK, self._ticks[-1])
        return min(average, Fraction(HIGHEST_RATE)).limit_denominator(1001)

    def _result(self) -> BakeResult:
        tape, sync, sound = self._tape, self._sync, self._tape.sound
        width, height = self._enlarger.size
        return BakeResult(
            video=self._video,
            thumbnail=None if self._thumbnail_error else self._thumbnail,
            thumbnail_error=self._thumbnail_error,
            width=width,
            height=height,
            frames=len(tape.frames),
            duration_ms=self._ticks[-1] * 1000 / CLOCK,
            size=self._video.stat().st_size,
            sound=sound is not None,
            sound_ms=sound.duration_ms if sound else 0.0,
            sync_scaled=sync.scaled,
            drift_ms=sync.drift_ms,
            enlarged=self._times,
            repaired=len(tape.broken),
            notes=[*tape.notes, *sync.notes, *self._notes()],
        )

    def _notes(self) -> list[str]:
        if self._times == self._spec.enlarge:
            return []
        return [f"Frames are large: enlarged {self._times} times instead of {self._spec.enlarge}."]


def _add_samples(mp4: Mp4, samples: Iterator[bytes], until_ms: float) -> bool:
    """Samples up to a time, so that picture and sound lie side by side in the file; whether there were any."""
    added = False
    while mp4.sound_ms < until_ms and (data := next(samples, b"")):
        mp4.add_samples(data)
        added = True
    return added
