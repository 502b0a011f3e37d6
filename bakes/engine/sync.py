"""Whether picture and sound are brought to one end, and what is said about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bakes.engine.soundtrack import Sound
from bakes.engine.timing import Timing

SAME_MS = 1.0  # a difference that nobody needs to hear of


@dataclass(frozen=True, slots=True)
class Sync:
    """`scale` is for every frame's time; `drift_ms` is picture minus sound as they are in the tape."""

    scale: float = 1.0
    drift_ms: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def scaled(self) -> bool:
        return self.scale != 1.0


def synchronize(timing: Timing, sound: Sound | None, within: float) -> Sync:
    """Scales recorded times to the sound when the two differ by less than the share `within` of the sound.

    Without recorded times, and where the difference is larger, nothing says which of the two is right: both are kept.
    """
    if sound is None:
        return Sync()
    drift = timing.total_ms - sound.duration_ms
    share = abs(drift) / sound.duration_ms
    lengths = f"The picture lasts {timing.total_ms / 1000:.3f} s, the sound {sound.duration_ms / 1000:.3f} s"
    if timing.given and share < within:
        scale, what = sound.duration_ms / timing.total_ms, f"frame times were scaled by {share:.2%}"
    else:
        scale, what = 1.0, f"they differ by {share:.1%}, times were kept"
    return Sync(scale, drift, [f"{lengths}: {what}."] if abs(drift) > SAME_MS else [])
