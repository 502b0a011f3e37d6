"""What is asked of the engine, and what comes back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.options import NO_OPTIONS, PageOptions

PREVIEW_SIDE = 128  # pixels of the square live previews


class Format(StrEnum):
    WEBP = "webp"
    GIF = "gif"
    PNG = "png"
    MP4 = "mp4"

    @property
    def mime(self) -> str:
        return "video/mp4" if self is Format.MP4 else f"image/{self.value}"

    @property
    def animated(self) -> bool:
        return self is not Format.PNG

    @property
    def takes_alpha(self) -> bool:
        return self in (Format.PNG, Format.WEBP)


class Mode(StrEnum):
    """How time was driven, best first. The result says which one served."""

    VIRTUAL = "virtual"  # Chromium's virtual time, one BeginFrame a tick
    INJECTED = "injected"  # our clock injected into the page, one BeginFrame a frame
    PLAIN = "plain"  # our clock, ordinary compositor
    REALTIME = "realtime"  # screencast, resampled to the grid
    STILL = "still"  # one picture, whatever is there


class Start(StrEnum):
    """From when on a page is captured."""

    AUTO = "auto"  # ready, else (for pages that send no signal) idle, else the limit
    LOAD = "load"  # its first moment: an intro is captured from its first frame
    READY = "ready"  # its own signal
    IDLE = "idle"  # nothing of its first picture is on its way


class Ready(StrEnum):
    """What told us that the piece may be captured."""

    LOAD = "load"
    SIGNAL = "signal"
    IDLE = "idle"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Output:
    """One of several files made of the same frames: its format, and its size in pixels."""

    format: Format
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class CaptureSpec:
    """One capture. Sizes are CSS pixels, times are milliseconds, rates are frames a second.

    The file is `round(width * scale)` by `round(height * scale)` pixels. `fps` is the rate the piece is sampled
    at, `playback_fps` the rate written into the file (so 7.5 and 15 play at twice real speed).
    With `outputs`, those are made of one load of the page, and `format` is the first one's.
    """

    url: str
    format: Format = Format.WEBP
    width: int = 512
    height: int = 512
    scale: float = 1.0
    duration_ms: int = 12_000
    fps: float = 7.5
    playback_fps: float = 15.0
    quality: int = 80
    transparent: bool = False
    outputs: tuple[Output, ...] = ()
    ready_expression: str = "window.acPieceReady === true"
    wait_for_idle: bool = False  # network idle counts as ready (pages that send no signal)
    ready_limit_ms: int = 10_000  # of the page's own time
    settle_ms: int = 200
    settle_still_ms: int = 500
    align_ms: int = 0  # what is waited for begins at a multiple of this of the page's own time, not when it was ready
    tick_hz: float = 60.0  # how often requestAnimationFrame fires between frames
    blocked_urls: tuple[str, ...] = ()
    step_limit_s: float = 8.0  # wall time one step may take before the page counts as hung
    network_wait_s: float = 15.0  # wall time that requests may stop the page's clock, one alone and all together
    fetch_wait_s: float = 3.0  # the same for one that a script has sent (Fetch, XHR)
    start: Start = Start.AUTO
    seed: int | None = None  # Math.random and crypto give the same numbers in every run
    date_s: float | None = None  # where the page's Date starts, in seconds since 1970; None: now
    open_limit_s: float = 15.0  # wall time until the document starts to arrive
    deadline_s: float = 60.0  # wall time for everything
    max_requests: int = 0  # over the network; a page that sends more is ended. 0: any number
    memory_limit_mb: int = 1024  # of the page's own process
    still_allowed: bool = True  # an animation of which nothing moves becomes a still
    page: PageOptions = NO_OPTIONS
    sink: Callable[[CaptureSpec, Path], Any] | None = None  # makes an Encoder that takes the frames, as PNG, instead
    modes: tuple[Mode, ...] = (Mode.VIRTUAL, Mode.INJECTED, Mode.PLAIN, Mode.REALTIME, Mode.STILL)

    def __post_init__(self) -> None:
        if not (0 < self.width <= 8192 and 0 < self.height <= 8192):
            raise CaptureError(ErrorCode.BAD_SPEC, "width and height must be 1 to 8192")
        if not (0 < self.scale <= 8):
            raise CaptureError(ErrorCode.BAD_SPEC, "scale must be above 0 and at most 8")
        if self.transparent and (opaque := [f for f in self.formats if not f.takes_alpha]):
            raise CaptureError(ErrorCode.BAD_SPEC, f"{opaque[0]} has no transparency: use png or webp")

    @property
    def formats(self) -> tuple[Format, ...]:
        return tuple(output.format for output in self.outputs) or (self.format,)

    @property
    def animated(self) -> bool:
        return any(format_.animated for format_ in self.formats)

    @property
    def frame_count(self) -> int:
        if not self.animated:
            return 1
        return max(1, math.ceil(round(self.duration_ms / 1000 * self.fps, 6)))

    @property
    def pixel_size(self) -> tuple[int, int]:
        return max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))

    @property
    def always_moves(self) -> bool:
        """Whether the file is an animation even when the piece stands still."""
        return self.format is Format.MP4 or self.sink is not None

    @property
    def settle_wait_ms(self) -> int:
        """The longest that any of the files asks for: each shows what it would have shown alone."""
        return self.settle_ms if all(f.animated for f in self.formats) else self.settle_still_ms

    @property
    def shot(self) -> dict[str, object]:
        """Parameters of one screenshot: JPEG where the encoder is lossy and opaque anyway, else PNG."""
        if self.transparent or self.sink or self.page.crops or not {Format.PNG, Format.GIF}.isdisjoint(self.formats):
            return {"format": "png", "optimizeForSpeed": True}
        return {"format": "jpeg", "quality": 95, "optimizeForSpeed": True}

    def sized(self, width: int, height: int) -> CaptureSpec:
        """Return the same with another size in CSS pixels; files that are smaller than the capture stay so."""
        before, after = self.pixel_size, replace(self, width=width, height=height, outputs=()).pixel_size
        across, down = (new / old for new, old in zip(after, before, strict=True))
        outputs = tuple(
            replace(output, width=max(1, round(output.width * across)), height=max(1, round(output.height * down)))
            for output in self.outputs
        )
        return replace(self, width=width, height=height, outputs=outputs)

    def alone(self, output: Output) -> CaptureSpec:
        """What the encoder of one of the outputs is told."""
        return replace(self, format=output.format, width=output.width, height=output.height, scale=1.0, outputs=())


@dataclass(frozen=True, slots=True)
class Progress:
    """A moment of a running capture. `preview` is a small JPEG when there is a new one."""

    stage: str  # loading, settling, capturing, encoding
    percent: int
    detail: str = ""
    frames_done: int = 0
    frames_total: int = 0
    preview: bytes | None = None


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class File:
    """One file that a capture has written."""

    path: Path
    format: Format
    width: int
    height: int
    frames: int


class WarningCode(StrEnum):
    """What may be missing from a capture or wrong in it."""

    NOT_LOADED = "not_loaded"  # a request that took too long, and was not waited for any longer
    REQUEST_FAILED = "request_failed"
    REQUEST_BLOCKED = "request_blocked"
    TIMING = "timing"  # something moves that the engine cannot hold still
    NO_WEBGPU = "no_webgpu"  # the page asked for it
    NO_SOUND = "no_sound"  # the page measures what it plays
    CUT = "cut"  # the page is higher than a picture may be
    PAGE_ERROR = "page_error"  # errors of a page that shows one colour only


@dataclass(frozen=True, slots=True)
class CaptureWarning:
    """A sentence about what may be missing or wrong, and what kind of thing it is."""

    code: WarningCode
    message: str


@dataclass(slots=True)
class CaptureResult:
    """What a capture yielded. `path` is in the directory given by the caller, who owns it from here on.

    Of several outputs `files` has all, in their order; the other fields are the first one's.
    """

    path: Path
    format: Format
    width: int
    height: int
    frames: int  # frames in the file
    size: int  # bytes
    mode: Mode
    ready: Ready
    ready_ms: int  # of the page's own time
    poster: bytes  # small WebP still for lists
    still_reason: str = ""  # "frozen" or "flat": an animation was asked for, a still came of it
    flat_color: str = ""  # "#rrggbb" of a flat piece
    blank: bool = False  # every frame black
    blank_frames: int = 0
    files: list[File] = field(default_factory=list)
    spans: dict[str, int] = field(default_factory=dict)  # milliseconds of wall time
    evidence: dict[str, object] = field(default_factory=dict)
    warnings: list[CaptureWarning] = field(default_factory=list)
