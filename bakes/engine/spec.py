"""What is asked of the engine, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PREVIEW_SIDE = 128  # pixels of the square live previews


@dataclass(frozen=True, slots=True)
class TapeLimits:
    """What a tape may be. Sizes are bytes, sides are pixels, times are seconds."""

    zip_bytes: int = 256 << 20
    members: int = 4010  # 4,000 frames, and what lies beside them
    directory_bytes: int = 2 << 20  # the list of members, as it stands at the end of the ZIP
    frame_bytes: int = 32 << 20
    frame_side: int = 4096
    ratio: int = 200  # of a frame's size to its compressed size, for frames over RATIO_FREE
    timing_bytes: int = 1 << 20
    unpacked_bytes: int = 1 << 30
    video_s: float = 120.0
    sound_s: float = 126.0  # what picture of the longest kind may be stretched to
    video_side: int = 4096  # enlarging stops before a side, ...
    picture_pixels: int = 9_437_184  # ... a picture (the most that H.264 level 5.2 allows) ...
    video_pixels: int = 1 << 34  # ... or all pictures together get larger than this
    broken_share: float = 0.05  # of the frames, and always one


@dataclass(frozen=True, slots=True)
class BakeSpec:
    """One bake: every frame of `tape` enlarged `enlarge` times (less where the limits ask for it)."""

    tape: Path
    limits: TapeLimits = field(default_factory=TapeLimits)
    enlarge: int = 3
    crf: int = 18
    preset: str = "veryfast"
    threads: int = 0  # 0: one and a half for each core
    sound_bitrate: int = 128_000
    sync_within: float = 0.05  # picture is scaled to the sound when the two differ by less than this share


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a running bake. `preview` is a small JPEG when there is a new one."""

    stage: str  # extracting, processing
    percent: int
    detail: str = ""
    frames_done: int = 0
    frames_total: int = 0
    preview: bytes | None = None


OnProgress = Callable[[Progress], None]


@dataclass(slots=True)
class BakeResult:
    """What a bake yielded. The files are in the directory given by the caller, who owns them from here on."""

    video: Path
    thumbnail: Path | None
    thumbnail_error: str
    width: int  # pixels of the video
    height: int
    frames: int
    duration_ms: float  # of the picture, as it is in the video
    size: int  # bytes of the video
    sound: bool
    sound_ms: float
    sync_scaled: bool  # frame times were scaled to end with the sound
    drift_ms: float  # picture minus sound, as found in the tape
    enlarged: int  # times
    repaired: int = 0  # broken frames that show the one before
    notes: list[str] = field(default_factory=list)  # sentences for the attempt's log
    spans: dict[str, int] = field(default_factory=dict)  # milliseconds of wall time
