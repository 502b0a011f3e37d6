"""How long each frame is shown: `timing.json` read, mended or refused, and turned into times on the video's clock."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import dataclass, field
from typing import Any

from bakes.engine.errors import BakeError, ErrorCode
from bakes.engine.spec import TapeLimits

CLOCK = 90_000  # ticks a second
DEFAULT_MS = 1000 / 60
SHORTEST_MS = 0.1  # several ticks, so that no two frames can fall on one
MENDED_SHARE = 0.05  # of the frames may lack an entry, or have one too many; always one


@dataclass(slots=True)
class Timing:
    """Durations in ms, one for each frame. `given` is False when the tape had none and 60 a second are assumed."""

    durations: list[float]
    given: bool
    notes: list[str] = field(default_factory=list)

    @property
    def total_ms(self) -> float:
        return math.fsum(self.durations)


def assumed(frames: int) -> Timing:
    return Timing([DEFAULT_MS] * frames, given=False)


def parse_timing(data: bytes, names: list[str]) -> Timing:
    """The durations of the frames called `names` (in their order), from either shape of timing.json.

    Entries that carry a `filename` are matched by it where all do and each names one frame; otherwise by position.
    """
    entries = _entries(data)
    durations = [_duration(index, entry) for index, entry in enumerate(entries)]
    by_name = _by_name(entries, durations)
    if by_name.keys() & set(names):
        return _match_names(by_name, names)
    return _match_positions(durations, len(names))


def ticks(durations: list[float], scale: float = 1.0) -> list[int]:
    """The start of every frame and, last, the end of the last one, in ticks of the clock.

    Each is rounded from the whole sum before it, so no error is carried from frame to frame.
    """
    sums = itertools.accumulate(durations, initial=0.0)
    return [round(total * scale * CLOCK / 1000) for total in sums]


def refuse_long(timing: Timing, limits: TapeLimits) -> None:
    if timing.total_ms > limits.video_s * 1000:
        seconds = f"{timing.total_ms / 1000:,.1f} s"
        message = f"The tape's frames last {seconds}; at most {limits.video_s:g} s are allowed."
        raise BakeError(ErrorCode.VIDEO_TOO_LONG, message)


def broken(what: str) -> BakeError:
    return BakeError(ErrorCode.TIMING_BROKEN, f"timing.json cannot be used: {what}.")


def _entries(data: bytes) -> list[dict[str, Any]]:
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise broken("it is not valid JSON") from None
    entries = content.get("frames") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise broken("it is neither a list nor an object with a list of frames")
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise broken(f"entry {index} is not an object")
    return entries


def _refuse_constant(name: str) -> float:
    raise broken(f"it holds {name}, which is no number")


def _duration(index: int, entry: dict[str, Any]) -> float:
    value = entry.get("duration")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise broken(f"the duration of entry {index} is {'missing' if value is None else 'not a number'}")
    if not SHORTEST_MS <= value < math.inf:
        raise broken(f"the duration of entry {index} is {_short(value)} ms; at least {SHORTEST_MS} is needed")
    return float(min(value, 1e12))  # a number of a thousand digits is too long in any case


def _short(value: float) -> str:
    return str(value) if abs(value) < 1e15 else "huge"


def _by_name(entries: list[dict[str, Any]], durations: list[float]) -> dict[str, float]:
    names = [entry.get("filename") for entry in entries]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return {}
    return {str(name): duration for name, duration in zip(names, durations, strict=True)}


def _match_names(by_name: dict[str, float], names: list[str]) -> Timing:
    missing = [name for name in names if name not in by_name]
    extra = len(by_name) - (len(names) - len(missing))
    notes = _mend_notes(len(missing), extra, len(names))
    usual = _median(list(by_name.values()))
    return Timing([by_name.get(name, usual) for name in names], True, notes)


def _match_positions(durations: list[float], frames: int) -> Timing:
    missing, extra = max(0, frames - len(durations)), max(0, len(durations) - frames)
    notes = _mend_notes(missing, extra, frames)
    return Timing(durations[:frames] + [_median(durations)] * missing, True, notes)


def _mend_notes(missing: int, extra: int, frames: int) -> list[str]:
    if max(missing, extra) > max(1, int(frames * MENDED_SHARE)) or missing == frames:
        message = f"timing.json does not fit the tape: of {frames:,} frames {missing:,} have no entry, "
        raise BakeError(ErrorCode.TIMING_MISMATCH, f"{message}and {extra:,} entries have no frame.")
    notes = []
    if missing:
        notes.append(f"timing.json lacks {missing} of {frames} frames: they are shown for the usual time.")
    if extra:
        notes.append(f"timing.json has {extra} entries without a frame: left out.")
    return notes


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else DEFAULT_MS
