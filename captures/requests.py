"""Schemas of grab requests, and the key that equal captures share."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any
from urllib.parse import quote

from django.conf import settings
from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema, field_validator

from captures import page_options
from captures.engine.options import NO_OPTIONS, PageOptions
from captures.engine.spec import CaptureSpec, Format, Output, Start
from captures.fields import (
    DURATION_MS,
    GIF_PLAYBACK_FPS,
    KEEP_ID_CHARS,
    MAX_PIECE,
    MAX_SIZES,
    SIDE,
    SOURCE_CHARS,
    WEB_PAGE,
    At,
    CacheKey,
    Date,
    Density,
    Duration,
    FormatName,
    Fps,
    Height,
    PlaybackFps,
    Quality,
    Seed,
    StartName,
    Still,
    Stills,
    Transparent,
    ViewportScale,
    Width,
    check_piece,
    clean_cache_key,
    read_formats,
    read_piece,
    read_sizes,
)
from captures.models import MAX_PIXELS
from captures.page_options import PageFields
from captures.purpose import Purpose
from oven.errors import BadRequest
from oven.http.fields import Flag, Note, Schema, is_on

__all__ = ["DURATION_MS", "SIDE", "GrabRequest", "check_piece", "clean_cache_key", "flag", "parse", "slug"]

MAX_FRAMES = 600
ALIGN_MS = 505  # exact moments count from a multiple of it, off the border between two sixtieths of a second


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
        return bool(WEB_PAGE.match(self.piece))

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
        """Return the engine's spec, with this installation's limits."""
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
        shape: dict[str, Any] = {name: getattr(self, name) for name in FIELDS}
        shape.update(formats=list(self.formats), sizes=list(self.sizes), page=page_options.to_json(self.page))
        return {name: value for name, value in shape.items() if name not in USUAL or value != USUAL[name]}

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


FIELDS = tuple(field.name for field in fields(GrabRequest))
USUAL: dict[str, Any] = {  # values that are not stored
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


class Named(Schema):
    piece: Annotated[
        str,
        BeforeValidator(read_piece),
        Field(
            description="The piece's name; those of KidLisp begin with `$`.",
            examples=["$bloom"],
            json_schema_extra={"minLength": 1, "maxLength": MAX_PIECE},
        ),
    ]


class Shape(Schema):
    format: FormatName = Format.WEBP
    width: Width = 512
    height: Height = 512


class Options(Schema):
    """What an address of a picture may say in its query."""

    duration: Duration = 12_000
    fps: Fps = 7.5
    playback_fps: PlaybackFps = 15.0
    density: Density = 1.0
    viewport_scale: ViewportScale = None
    quality: Quality = 80
    transparent: Transparent = False
    cache_key: CacheKey = ""
    at: At = None
    start: StartName = Start.AUTO
    seed: Seed = None
    date: Date = None
    still: Still = Stills.AUTO


class Wanted(Options, Shape, Named):
    """One file of one piece."""

    def request(self, purpose: Purpose) -> GrabRequest:
        return GrabRequest(
            piece=self.piece,
            format=self.format,
            width=self.width,
            height=self.height,
            duration_ms=self.duration,
            fps=self.fps,
            playback_fps=self.playback_fps,
            density=self.density,
            viewport_scale=self.viewport_scale,
            quality=self.quality,
            transparent=self.transparent,
            cache_key=self.cache_key,
            at_ms=self.at,
            start=self.start,
            seed=self.seed,
            date_s=self.date,
            still=self.still is Stills.AUTO,
            purpose=purpose,
        )


class Formats(Schema):
    formats: Annotated[
        tuple[Format, ...],
        BeforeValidator(read_formats),
        WithJsonSchema({"type": "array", "items": {"type": "string", "enum": list(Format)}}),
        Field(
            description="Several files of one load of the page, instead of `format`; the answer says where they lie.",
            examples=[["png", "webp"]],
        ),
    ] = ()


class Sizes(Schema):
    sizes: Annotated[
        tuple[int, ...],
        BeforeValidator(read_sizes),
        WithJsonSchema({"type": "array", "items": {"type": "integer", "minimum": SIDE[0]}, "maxItems": MAX_SIZES}),
        Field(
            description="Each of the formats in these widths (pixels, at most that of the capture; same aspect).",
            examples=[[256, 512]],
        ),
    ] = ()


class GrabFields(Sizes, PageFields, Wanted, Formats, Named):
    """Several files of one piece or page, and interaction with the page."""

    @field_validator("format", mode="before")
    @classmethod
    def _instead(cls, value: Any, info: ValidationInfo) -> Any:
        return Format.WEBP if info.data.get("formats") else value  # `format` is not read

    def request(self, purpose: Purpose) -> GrabRequest:
        wish, page = super().request(purpose), self.page()
        if formats := self.formats or ((self.format,) if self.sizes else ()):
            return replace(wish, page=page, format=formats[0], formats=formats, sizes=self.sizes)
        return replace(wish, page=page) if page != NO_OPTIONS else wish


class Handling(Schema):
    """Fields that are recorded with a capture, and whether the cache may answer."""

    source: Annotated[
        str, Note(SOURCE_CHARS), Field(description="Recorded; `keep` overtakes (scope grab).", examples=["manual"])
    ] = "manual"
    keep_id: Annotated[
        str, Note(KEEP_ID_CHARS), Field(description="Recorded: the keep it is for.", examples=["65a0"])
    ] = ""
    skip_cache: Annotated[
        bool, Flag(), Field(description="Capture again without the cache (scope grab).", examples=[False])
    ] = False


class PostHandling(Handling):
    source: Annotated[
        str, Note(SOURCE_CHARS), Field(description="Recorded; `keep` overtakes.", examples=["manual"])
    ] = "api"


class GetHandling(Handling):
    nowait: Annotated[
        bool,
        Flag(),
        Field(description="Answer with a stand-in picture while the same capture is baking.", examples=[True]),
    ] = False


class GrabBody(PostHandling, GrabFields):
    """What `POST /grab` takes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"piece": "$bloom", "format": "webp", "width": 256}]})


class GrabAddress(Named, Shape):
    """The path of `GET /grab/...`."""


class GrabQuery(GetHandling, Options):
    """The query of `GET /grab/...`."""

    exp: Annotated[
        str | None,
        WithJsonSchema({"type": "integer", "minimum": 0}),
        Field(description="Of a signed address: when it ends, in seconds since 1970.", examples=[1798761600]),
    ] = None
    sig: Annotated[
        str,
        Field(
            description="Of a signed address (`manage.py sign_url`): its HMAC-SHA256.",
            examples=["n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg"],
        ),
    ] = ""


SEVERAL = ("formats", "sizes")
PAGE = tuple(PageFields.names())


def parse(
    raw: Mapping[str, Any],
    any_page: bool = False,
    sides: tuple[int, int] | None = None,
    several: bool = False,
    purpose: Purpose = Purpose.GRAB,
    schema: type[Wanted] | None = None,
) -> GrabRequest:
    """Check a caller's fields (the contract's names; texts or JSON). Raises BadRequest for the first wrong one.

    `any_page`: the caller may name an https page instead of a piece, and say what is done to it. `sides`: other
    bounds of width and height. `several`: `formats` and `sizes` are read. `schema`: one with other defaults.
    """
    given = {"piece": None, **raw}
    if schema is None:
        schema = GrabFields if any_page or several else Wanted
    if schema is GrabFields:
        for name in (*(() if several else SEVERAL), *(() if any_page else PAGE)):
            given.pop(name, None)
    wish = schema.read(given, any_page=any_page, sides=sides).request(purpose)
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


def flag(raw: Mapping[str, Any], field: str) -> bool:
    return is_on(raw.get(field))


def slug(piece: str, limit: int = 80) -> str:
    """A piece's name as part of ids and file names: without the leading `$`, nothing that means anything there."""
    name = piece.removeprefix("$")
    name = re.sub(r"^https?://", "", name, flags=re.IGNORECASE)
    return re.sub(r"[^\w@~.-]+", "-", name, flags=re.ASCII).strip("-.")[:limit] or "piece"
