"""Icons and previews as captures: sizes, their caps, names, and what each kind looks like."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import PydanticUseDefault

from captures.engine.spec import Format
from captures.purpose import Purpose
from captures.requests import DURATION_MS, GrabRequest, parse
from oven.errors import BadRequest
from oven.http.fields import Invalid, Kind, Schema

FRAMES, FPS = (30, 60), (15.0, 30.0)  # default and most, of animated icons


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of picture. Sides are pixels; the `max_age`s are seconds that others may keep an answer."""

    purpose: Purpose
    format: Format
    side: int  # where none is said
    caps: tuple[int, int]
    hit_max_age: int
    miss_max_age: int
    density: float = 1.0


ICON = Family(Purpose.ICON, Format.PNG, 128, (512, 512), 86_400, 3600)
ANIMATED_ICON = Family(Purpose.ANIMATED_ICON, Format.WEBP, 128, (128, 128), 604_800, 86_400)
PREVIEW = Family(Purpose.PREVIEW, Format.PNG, 1200, (1920, 1080), 86_400, 3600, density=4.0)
ICONS = {"png": ICON, "webp": ANIMATED_ICON}
PREVIEWS = {"png": PREVIEW}


def split(name: str, families: Mapping[str, Family]) -> tuple[str, Family] | None:
    """Piece and family of a file's name; None when its ending is none of theirs."""
    piece, _, ending = name.rpartition(".")
    family = families.get(ending.lower())
    return (piece, family) if piece and family else None


def wish_of(family: Family, size: str, piece: str, query: Mapping[str, str]) -> GrabRequest:
    """The capture behind an address. Raises BadRequest."""
    width, height = sides(size, family)
    fields: dict[str, object] = {"piece": piece, "format": family.format, "width": width, "height": height}
    if family.format.animated:
        fields |= motion(query)
    else:
        fields |= {"density": family.density, "viewportScale": 1}
    return parse(fields, sides=(1, max(family.caps)), purpose=family.purpose)


def sides(size: str, family: Family) -> tuple[int, int]:
    """Read `WxH`. Each side is capped; one that is not a number becomes the default of its family."""
    parts = size.lower().split("x")
    if len(parts) != 2:
        text = f"size: {size[:20]!r} is not WIDTHxHEIGHT, as in {family.side}x{family.side}."
        raise BadRequest("size", text, f"{family.side}x{family.side}")
    width, height = (min(_leading(part) or family.side, cap) for part, cap in zip(parts, family.caps, strict=True))
    return width, height


def _leading(text: str) -> int:
    """The number that a text begins with; 0 for none."""
    found = re.match(r"\s*([0-9]+)", text)
    return int(found[1][:9]) if found else 0


@dataclass(frozen=True, slots=True)
class Capped(Kind):
    """A number; one above the maximum is the maximum, the empty text is the default."""

    low: float
    high: float
    whole: bool

    def read(self, value: Any) -> float:
        text = str(value).strip()
        if not text:
            raise PydanticUseDefault
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not number >= self.low:
            text = f"{text[:20]!r} is not a number from {self.low:g} to {self.high:g}."
            raise Invalid(text, [self.low, self.high])
        return int(min(number, self.high)) if self.whole else min(number, self.high)

    def describe(self) -> dict[str, Any]:
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}


class IconQuery(Schema):
    frames: Annotated[
        int,
        Capped(1, FRAMES[1], whole=True),
        Field(description="Of .webp: how many frames there are; more are as many as the maximum.", examples=[30]),
    ] = FRAMES[0]
    fps: Annotated[
        float,
        Capped(0.1, FPS[1], whole=False),
        Field(description="Of .webp: how many frames a second are captured, and played.", examples=[15]),
    ] = FPS[0]


def motion(query: Mapping[str, str]) -> dict[str, object]:
    """So many frames, at a rate that they are captured and played at. Raises BadRequest."""
    asked = IconQuery.read(query)
    frames, fps = asked.frames, asked.fps
    duration = math.floor(frames * 1000 / fps)  # downwards: rounded up it would hold one frame more
    if duration > DURATION_MS[1]:
        text = f"frames: {frames} at {fps:g} a second last {duration / 1000:g} s, at most {DURATION_MS[1] / 1000:g}."
        raise BadRequest("frames", text, math.floor(DURATION_MS[1] / 1000 * fps))
    return {"duration": max(1, duration), "fps": fps, "playbackFps": fps}
