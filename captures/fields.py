"""The fields of a grab: their bounds, how they are read, and what the OpenAPI file says of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, ValidationInfo, WithJsonSchema
from pydantic_core import CoreSchema, PydanticUseDefault, core_schema

from captures.engine.spec import Format, Start
from oven.errors import BadRequest
from oven.http.fields import Choice, Flag, Invalid, Kind, Number, listed, one_of
from oven.numbers import whole

SIDE = (32, 1000)
DURATION_MS = (1, 30_000)
FPS = (0.1, 60.0)
GIF_PLAYBACK_FPS = 50.0
DENSITY = (0.1, 8.0)
QUALITY = (1, 100)
AT_MS = (0, 30_000)
SEED = (0, 2**53 - 1)
MAX_PIECE = 200
MAX_URL = 2000
CACHE_KEY_CHARS = 48
SOURCE_CHARS = 40
KEEP_ID_CHARS = 80
MAX_SIZES = 4

_DOMAIN_END = re.compile(r"\.(com|net|org|io|dev|app|xyz|co)$", re.IGNORECASE)
WEB_PAGE = re.compile(r"^https?://", re.IGNORECASE)
_REFUSED = ("sundarakarma",)
_PIECE_CHARS = re.compile(r"[\w$@~.\-+!*'(),:;=/ ]+", re.UNICODE)


class Stills(StrEnum):
    """Whether an animation of which nothing moves becomes a still."""

    AUTO = "auto"
    NEVER = "never"


# --- reading -------------------------------------------------------------------------------------------------------


def check_piece(value: object, any_page: bool = False) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadRequest("piece", "piece: a piece's name is needed.")
    piece = value.strip()
    if WEB_PAGE.match(piece):
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


def clean_cache_key(text: str) -> str:
    return re.sub(r"-+", "-", re.sub(r"[^A-Za-z0-9_-]", "-", text))[:CACHE_KEY_CHARS]


@dataclass(frozen=True, slots=True)
class Side(Kind):
    """A side in CSS pixels; what is not a number becomes 512, as callers expect. `parse` may change the bounds."""

    low: int
    high: int

    def check(self, value: Any, info: ValidationInfo) -> int:
        low, high = (info.context or {}).get("sides") or (self.low, self.high)
        try:
            side = int(float(value))
        except (TypeError, ValueError, OverflowError):
            side = 512
        if not low <= side <= high:
            raise Invalid(f"{side} is not within {low} to {high}.", [low, high])
        return side

    def describe(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_before_validator_function(self.check, handler(source))


def read_piece(value: Any, info: ValidationInfo) -> str:
    return check_piece(value, bool((info.context or {}).get("any_page")))


def read_date(value: Any) -> int:
    """Return an ISO 8601 date in seconds since 1970. The time is optional; without a time zone it is UTC."""
    if value is None or value == "":
        raise PydanticUseDefault
    try:
        found = datetime.fromisoformat(str(value))
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise Invalid(f"{str(value)[:40]!r} is no date as 2026-01-31 or 2026-01-31T12:00:00Z.", "ISO 8601") from None


def read_formats(value: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one_of(name, tuple(Format)) for name in listed(value)))


def read_sizes(value: Any, info: ValidationInfo) -> tuple[int, ...]:
    """Return widths in pixels, of files with the capture's aspect ratio. None may be wider than the capture."""
    if not {"width", "density", "viewport_scale"} <= set(info.data):  # one of them is wrong
        return ()
    widest = max(1, round(info.data["width"] * (info.data["viewport_scale"] or info.data["density"])))
    sizes: dict[int, None] = {}
    for given in listed(value):
        size = whole(text := str(given), 5) or 0
        if not SIDE[0] <= size <= widest:
            text = f"{text[:20]} is not within {SIDE[0]} to {widest}, the width of the capture."
            raise Invalid(text, [SIDE[0], widest])
        sizes[size] = None
    if len(sizes) > MAX_SIZES:
        raise Invalid(f"at most {MAX_SIZES} are made of one load.", MAX_SIZES)
    return tuple(sizes)


FormatName = Annotated[
    Format, Choice(tuple(Format), blank=False), Field(description="The file's format.", examples=["webp"])
]
Width = Annotated[int, Side(*SIDE), Field(description="Width of the page in CSS pixels.", examples=[512])]
Height = Annotated[int, Side(*SIDE), Field(description="Height of the page in CSS pixels.", examples=[512])]
Duration = Annotated[
    int, Number(*DURATION_MS, "milliseconds"), Field(description="Captured span in milliseconds.", examples=[6000])
]
Fps = Annotated[
    float,
    Number(*FPS, "frames a second", whole=False),
    Field(description="Rate of capture in frames a second.", examples=[10]),
]
PlaybackFps = Annotated[
    float,
    Number(*FPS, "frames a second", whole=False),
    Field(description=f"Rate of playback in frames a second, of GIF at most {GIF_PLAYBACK_FPS:g}.", examples=[20]),
]
Density = Annotated[
    float,
    Number(*DENSITY, whole=False),
    Field(
        description="File pixels for each CSS pixel. Pieces also get it as the size of their art pixels.",
        examples=[2],
    ),
]
Quality = Annotated[int, Number(*QUALITY), Field(description="Quality of WebP and MP4.", examples=[70])]
ViewportScale = Annotated[
    float | None,
    Number(*DENSITY, whole=False),
    BeforeValidator(lambda value: value or None),
    Field(description="File pixels for each CSS pixel, instead of density.", examples=[1]),
]
Transparent = Annotated[bool, Flag(), Field(description="Keep transparency (png, webp).", examples=[True])]
CacheKey = Annotated[
    str,
    BeforeValidator(lambda value: clean_cache_key(str(value or ""))),
    Field(
        description="Captures with another key are other captures. Letters, digits, - and _ count.",
        examples=["v2"],
        json_schema_extra={"maxLength": CACHE_KEY_CHARS},
    ),
]
At = Annotated[
    int | None,
    Number(*AT_MS, "milliseconds"),
    Field(
        description="Milliseconds of the page's time from the start to the first frame; soon after, if left out.",
        examples=[1000],
    ),
]
StartName = Annotated[
    Start,
    Choice(tuple(Start)),
    Field(
        description="When the capture starts: `load` (the page's first picture), `ready` (its signal), `idle` "
        "(nothing of its first picture is on its way), or `auto` (ready, else idle for pages without a signal).",
        examples=["load"],
    ),
]
Seed = Annotated[
    int | None,
    Number(*SEED),
    Field(description="Math.random and crypto give the same numbers in every run.", examples=[42]),
]
Date = Annotated[
    int | None,
    BeforeValidator(read_date),
    WithJsonSchema({"type": "string", "format": "date-time"}),
    Field(
        description="Where the page's Date starts (ISO 8601, UTC unless it says otherwise); now, if left out.",
        examples=["2026-01-31T12:00:00Z"],
    ),
]
Still = Annotated[
    Stills,
    Choice(tuple(Stills)),
    Field(
        description="`never`: an animation even if every frame is the same; `auto`: then a still.",
        examples=["never"],
    ),
]
