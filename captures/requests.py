"""What a caller asks for, checked: bounds, names, and the key under which equal captures are one."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import quote

from django.conf import settings

from captures import page_options
from captures.engine.options import NO_OPTIONS, PageOptions
from captures.engine.spec import CaptureSpec, Format, Output, Start
from captures.models import MAX_PIXELS
from captures.purpose import Purpose
from oven.errors import BadRequest
from oven.numbers import whole

SIDE = (32, 1000)
DURATION_MS = (1, 30_000)
FPS = (0.1, 60.0)
GIF_PLAYBACK_FPS = 50.0
DENSITY = (0.1, 8.0)
QUALITY = (1, 100)
MAX_FRAMES = 600
AT_MS = (0, 30_000)
SEED = (0, 2**53 - 1)
MAX_PIECE = 200
MAX_URL = 2000
CACHE_KEY_CHARS = 48
SOURCE_CHARS = 40
MAX_SIZES = 4
ALIGN_MS = 505  # exact moments count from a multiple of it, off the border between two sixtieths of a second

_DOMAIN_END = re.compile(r"\.(com|net|org|io|dev|app|xyz|co)$", re.IGNORECASE)
_WEB_PAGE = re.compile(r"^https?://", re.IGNORECASE)
_REFUSED = ("sundarakarma",)
_PIECE_CHARS = re.compile(r"[\w$@~.\-+!*'(),:;=/ ]+", re.UNICODE)


class Stills(StrEnum):
    """Whether an animation of which nothing moves becomes a still."""

    AUTO = "auto"
    NEVER = "never"


Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class GrabRequest:
    """A checked wish. `piece` is a name on the piece site, or (for staff) an https address.

    With `formats` (and perhaps `sizes`, the files' widths in pixels) it is for several files of the same frames.
    """

    piece: str
    format: Format = Format.WEBP
    width: int = 512
    height: int = 512
    duration_ms: int = 12_000
    fps: float = 7.5
    playback_fps: float = 15.0
    density: float = 1.0
    viewport_scale: float | None = None
    quality: int = 80
    transparent: bool = False
    cache_key: str = ""
    at_ms: int | None = None  # from ready, or soon after, to the first frame; None: as the settings say
    start: Start = Start.AUTO
    seed: int | None = None
    date_s: int | None = None  # where Date starts, in seconds since 1970
    still: bool = True  # an animation of which nothing moves becomes a still
    page: PageOptions = NO_OPTIONS
    purpose: Purpose = Purpose.GRAB
    formats: tuple[Format, ...] = ()
    sizes: tuple[int, ...] = ()

    @property
    def outputs(self) -> list[GrabRequest]:
        """What a caller would ask for to get each file alone."""
        if not self.formats:
            return [self]
        alone = replace(self, formats=(), sizes=())
        sized = [alone._sized(size) for size in self.sizes] or [alone]
        return [replace(wish, format=format_) for wish in sized for format_ in self.formats]

    def _sized(self, width: int) -> GrabRequest:
        if width == round(self.width * self.scale):
            return self
        return replace(self, viewport_scale=width / self.width)

    @property
    def animated(self) -> bool:
        return any(format_.animated for format_ in self.formats or (self.format,))

    @property
    def is_url(self) -> bool:
        return bool(_WEB_PAGE.match(self.piece))

    @property
    def scale(self) -> float:
        return self.density if self.viewport_scale is None else self.viewport_scale

    @property
    def url(self) -> str:
        if self.is_url:
            return self.piece
        return str(settings.OVEN_PIECE_URL).format(
            origin=settings.OVEN_PIECE_ORIGIN,
            piece=quote(self.piece, safe="$@~!*'(),:;-._/+="),
            density=f"{self.density:g}",
        )

    def to_spec(self) -> CaptureSpec:
        """What the engine is told, with the service's own limits."""
        return CaptureSpec(
            url=self.url,
            format=self.format,
            width=self.width,
            height=self.height,
            scale=self.scale,
            duration_ms=self.duration_ms,
            fps=self.fps,
            playback_fps=self.playback_fps,
            quality=self.quality,
            transparent=self.transparent,
            outputs=self._files() if self.formats else (),
            wait_for_idle=self.is_url,
            start=self.start,
            seed=self.seed,
            date_s=self.date_s,
            still_allowed=self.still,
            page=self.page,
            **{**engine_settings(), **self._settle()},
        )

    def _settle(self) -> dict[str, int]:
        """An exact moment does not depend on the tick at which the page was seen to be ready."""
        at_ms = 0 if self.at_ms is None and self.start is Start.LOAD else self.at_ms
        if at_ms is None:
            return {}
        return {"settle_ms": at_ms, "settle_still_ms": at_ms, "align_ms": ALIGN_MS}

    def _files(self) -> tuple[Output, ...]:
        return tuple(Output(wish.format, *wish.pixel_size) for wish in self.outputs)

    @property
    def pixel_size(self) -> tuple[int, int]:
        """Of the file, or of the largest that several can be."""
        return max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))

    @property
    def view(self) -> GrabRequest:
        """Return the same without what does not change a picture of something that does not move."""
        plain = replace(self, duration_ms=0, fps=0.0, playback_fps=0.0, quality=0, format=Format.PNG)
        return replace(plain, formats=(), sizes=())

    @property
    def megapixels(self) -> float:
        """Return the pixels of all frames of all files, in millions: what the capture costs."""
        width, height = self.pixel_size
        frames = math.ceil(self.duration_ms / 1000 * self.fps) if self.animated else 1
        return width * height * max(1, frames) / 1e6

    @property
    def capture_key(self) -> str:
        """Readable in front, and a digest over everything that shapes the picture behind."""
        width, height = self.pixel_size
        motion = "anim" if self.animated else "still"
        name, format_ = slug(self.piece, 120), "+".join(self.formats or (self.format,))
        return f"{name}_{width}x{height}_{format_}_{motion}_{settings.OVEN_RENDER_VERSION}_{self._digest()}"

    def _digest(self) -> str:
        shape = self.as_json()
        if not self.animated:
            for field in ("duration_ms", "fps", "playback_fps", "quality"):
                del shape[field]
        if self.page != NO_OPTIONS:
            shape["page"] = page_options.plain(self.page)
        shape["url"] = self.url
        return hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """What is stored; what few ask for is left out where it was not."""
        shape: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        shape.update(formats=list(self.formats), sizes=list(self.sizes), page=page_options.to_json(self.page))
        usual: dict[str, Any] = {
            "purpose": Purpose.GRAB,
            "formats": [],
            "sizes": [],
            "at_ms": None,
            "start": Start.AUTO,
            "seed": None,
            "date_s": None,
            "still": True,
            "page": {},
        }
        return {name: value for name, value in shape.items() if name not in usual or value != usual[name]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> GrabRequest:
        """From a stored row: checked when it was made."""
        several = {
            "purpose": Purpose(data.get("purpose", Purpose.GRAB)),
            "formats": tuple(Format(name) for name in data.get("formats", ())),
            "sizes": tuple(data.get("sizes", ())),
            "start": Start(data.get("start", Start.AUTO)),
            "page": page_options.from_json(data.get("page", {})),
        }
        return cls(**{**data, "format": Format(data["format"]), **several})


def engine_settings() -> dict[str, Any]:
    """The engine's limits as this installation sets them."""
    return {
        "ready_expression": settings.OVEN_READY_EXPRESSION,
        "ready_limit_ms": settings.OVEN_READY_LIMIT_MS,
        "settle_ms": settings.OVEN_SETTLE_MS,
        "settle_still_ms": settings.OVEN_SETTLE_STILL_MS,
        "tick_hz": settings.OVEN_TICK_HZ,
        "blocked_urls": tuple(settings.OVEN_BLOCKED_URLS),
        "step_limit_s": settings.OVEN_STEP_LIMIT_S,
        "network_wait_s": settings.OVEN_NETWORK_WAIT_S,
        "fetch_wait_s": settings.OVEN_FETCH_WAIT_S,
        "deadline_s": settings.OVEN_CAPTURE_TIMEOUT_S,
        "max_requests": settings.OVEN_PAGE_MAX_REQUESTS,
        "memory_limit_mb": settings.OVEN_PAGE_MEMORY_MB,
    }


def parse(
    raw: Mapping[str, Any],
    any_page: bool = False,
    sides: tuple[int, int] = SIDE,
    several: bool = False,
    purpose: Purpose = Purpose.GRAB,
) -> GrabRequest:
    """Checks a caller's fields (the contract's names; texts or JSON). Raises BadRequest for the first wrong one.

    `any_page`: the caller may name an https page instead of a piece, and say what is done to it. `sides`: bounds of
    width and height. `several`: `formats` and `sizes` are read.
    """
    piece = check_piece(raw.get("piece"), any_page)
    formats = _formats(raw) if several else ()
    wish = GrabRequest(
        piece=piece,
        format=formats[0] if formats else _format(raw.get("format", "webp")),
        width=_side(raw, "width", sides),
        height=_side(raw, "height", sides),
        duration_ms=round(_number(raw, "duration", 12_000, DURATION_MS, "milliseconds")),
        fps=_number(raw, "fps", 7.5, FPS, "frames a second"),
        playback_fps=_number(raw, "playbackFps", 15.0, FPS, "frames a second"),
        density=_number(raw, "density", 1.0, DENSITY),
        viewport_scale=_number(raw, "viewportScale", 1.0, DENSITY) if raw.get("viewportScale") else None,
        quality=round(_number(raw, "quality", 80, QUALITY)),
        transparent=flag(raw, "transparent"),
        cache_key=clean_cache_key(str(raw.get("cacheKey") or "")),
        at_ms=None if raw.get("at") in (None, "") else round(_number(raw, "at", 0, AT_MS, "milliseconds")),
        start=_choice(raw, "start", Start.AUTO),
        seed=None if raw.get("seed") in (None, "") else round(_number(raw, "seed", 0, SEED)),
        date_s=_date(raw),
        still=_choice(raw, "still", Stills.AUTO) is Stills.AUTO,
        page=page_options.parse_page(raw) if any_page else NO_OPTIONS,
        purpose=purpose,
        formats=formats,
    )
    if several and (sizes := _sizes(raw, wish)):
        wish = replace(wish, sizes=sizes, formats=formats or (wish.format,))
    _check_together(wish)
    return wish


def _check_together(wish: GrabRequest) -> None:
    width, height = wish.pixel_size
    if width * height > MAX_PIXELS:
        text = f"density: {width}×{height} pixels are more than the {MAX_PIXELS:,} allowed; lower density or size."
        raise BadRequest("density", text, MAX_PIXELS)
    if wish.animated and (frames := math.ceil(wish.duration_ms / 1000 * wish.fps)) > MAX_FRAMES:
        text = f"fps: {frames} frames are more than the {MAX_FRAMES} allowed; lower fps or duration."
        raise BadRequest("fps", text, MAX_FRAMES)
    formats = wish.formats or (wish.format,)
    if Format.GIF in formats and wish.playback_fps > GIF_PLAYBACK_FPS:
        text = f"playbackFps: a GIF plays at most {GIF_PLAYBACK_FPS:g} frames a second."
        raise BadRequest("playbackFps", text, GIF_PLAYBACK_FPS)
    if wish.transparent and (opaque := [f for f in formats if not f.takes_alpha]):
        raise BadRequest("transparent", f"transparent: {opaque[0]} has no transparency.", ["png", "webp"])


def dear(wish: GrabRequest) -> dict[str, float]:
    """What makes a capture dear, by the contract's names: of a still, its size alone."""
    found = {"width": wish.width, "height": wish.height, "density": wish.scale}
    if not wish.animated:
        return found
    return {**found, "duration": wish.duration_ms, "fps": wish.fps, "playbackFps": wish.playback_fps}


def check_piece(value: object, any_page: bool = False) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadRequest("piece", "piece: a piece's name is needed.")
    piece = value.strip()
    if _WEB_PAGE.match(piece):
        return _check_page(piece, any_page)
    if len(piece) > MAX_PIECE:
        raise BadRequest("piece", f"piece: the name has {len(piece)} characters, at most {MAX_PIECE} are allowed.")
    if ".." in piece or piece.startswith("/") or not _PIECE_CHARS.fullmatch(piece):
        raise BadRequest("piece", "piece: the name has characters or parts that no piece's name has.")
    if _DOMAIN_END.search(piece) or any(word in piece.lower() for word in _REFUSED):
        raise BadRequest("piece", "piece: this names a web site, not a piece.")
    return piece


def _check_page(url: str, any_page: bool) -> str:
    if not any_page:
        raise BadRequest("piece", "piece: web pages can only be grabbed by staff; a piece's name is needed.")
    if len(url) > MAX_URL:
        raise BadRequest("piece", f"piece: the address is longer than {MAX_URL} characters.")
    if not url.lower().startswith("https://"):
        raise BadRequest("piece", "piece: only https pages can be grabbed.")
    return url


def _format(value: object, field: str = "format") -> Format:
    try:
        return Format(str(value).lower())
    except ValueError:
        valid = [f.value for f in Format]
        raise BadRequest(field, f"{field}: {str(value)[:20]!r} is not one of {', '.join(valid)}.", valid) from None


def _choice(raw: Mapping[str, Any], field: str, default: Choice) -> Choice:
    kind, value = type(default), raw.get(field)
    if value is None or value == "":
        return default
    try:
        return kind(str(value).lower())
    except ValueError:
        valid = [choice.value for choice in kind]
        text = f"{field}: {str(value)[:20]!r} is not one of {', '.join(valid)}."
        raise BadRequest(field, text, valid) from None


def _date(raw: Mapping[str, Any]) -> int | None:
    """Seconds since 1970 of an ISO 8601 date, with or without a time; without a time zone it is UTC."""
    value = raw.get("date")
    if value is None or value == "":
        return None
    try:
        found = datetime.fromisoformat(str(value))
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        text = f"date: {str(value)[:40]!r} is no date as 2026-01-31 or 2026-01-31T12:00:00Z."
        raise BadRequest("date", text, "ISO 8601") from None


def _formats(raw: Mapping[str, Any]) -> tuple[Format, ...]:
    return tuple(dict.fromkeys(_format(name, "formats") for name in _listed(raw, "formats")))


def _sizes(raw: Mapping[str, Any], wish: GrabRequest) -> tuple[int, ...]:
    """Widths in pixels, of files of the wish's aspect; none may be larger than the capture."""
    widest = wish.pixel_size[0]
    sizes: dict[int, None] = {}
    for value in _listed(raw, "sizes"):
        size = whole(text := str(value), 5) or 0
        if not SIDE[0] <= size <= widest:
            text = f"sizes: {text[:20]} is not within {SIDE[0]} to {widest}, the width of the capture."
            raise BadRequest("sizes", text, [SIDE[0], widest])
        sizes[size] = None
    if len(sizes) > MAX_SIZES:
        raise BadRequest("sizes", f"sizes: at most {MAX_SIZES} are made of one load.", MAX_SIZES)
    return tuple(sizes)


def _listed(raw: Mapping[str, Any], field: str) -> list[Any]:
    """A JSON list, or names between commas."""
    value = raw.get(field)
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",") if name.strip()]
    if value is None or value == []:
        return []
    if not isinstance(value, list) or len(value) > 20:
        raise BadRequest(field, f"{field}: a list is needed.")
    return value


def _side(raw: Mapping[str, Any], field: str, bounds: tuple[int, int]) -> int:
    """A side in CSS pixels; what is not a number becomes 512, as callers expect."""
    try:
        side = int(float(raw.get(field, 512)))
    except (TypeError, ValueError, OverflowError):
        side = 512
    low, high = bounds
    if not low <= side <= high:
        raise BadRequest(field, f"{field}: {side} is not within {low} to {high}.", [low, high])
    return side


def _number(raw: Mapping[str, Any], field: str, default: float, bounds: tuple[float, float], unit: str = "") -> float:
    value = raw.get(field)
    if value is None or value == "":
        return default
    low, high = bounds
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(value, bool) or not low <= number <= high:
        text = f"{field}: {str(value)[:20]} is not within {low:g} to {high:g}{' ' + unit if unit else ''}."
        raise BadRequest(field, text, [low, high])
    return number


def flag(raw: Mapping[str, Any], field: str) -> bool:
    return raw.get(field) is True or str(raw.get(field, "")).lower() in ("true", "1")


def clean_cache_key(text: str) -> str:
    return re.sub(r"-+", "-", re.sub(r"[^A-Za-z0-9_-]", "-", text))[:CACHE_KEY_CHARS]


def slug(piece: str, limit: int = 80) -> str:
    """A piece's name as part of ids and file names: without the leading `$`, nothing that means anything there."""
    name = piece.removeprefix("$")
    name = re.sub(r"^https?://", "", name, flags=re.IGNORECASE)
    return re.sub(r"[^\w@~.-]+", "-", name, flags=re.ASCII).strip("-.")[:limit] or "piece"
