"""Icons and previews as captures: sizes, their caps, names, and what each kind looks like."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from captures.engine.spec import Format
from captures.purpose import Purpose
from captures.requests import DURATION_MS, GrabRequest, parse
from oven.errors import BadRequest

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
    """`WxH`, each side capped by itself; what is no number becomes the family's own side."""
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


def motion(query: Mapping[str, str]) -> dict[str, object]:
    """So many frames, at a rate that they are captured and played at."""
    frames = int(_number(query, "frames", 1, *FRAMES))
    fps = _number(query, "fps", 0.1, *FPS)
    duration = math.floor(frames * 1000 / fps)  # downwards: rounded up it would hold one frame more
    if duration > DURATION_MS[1]:
        text = f"frames: {frames} at {fps:g} a second last {duration / 1000:g} s, at most {DURATION_MS[1] / 1000:g}."
        raise BadRequest("frames", text, math.floor(DURATION_MS[1] / 1000 * fps))
    return {"duration": max(1, duration), "fps": fps, "playbackFps": fps}


def _number(query: Mapping[str, str], field: str, least: float, default: float, most: float) -> float:
    """A number from the query, at most `most`. Raises BadRequest for what is none, or too small."""
    text = query.get(field, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number >= least:
        raise BadRequest(field, f"{field}: {text[:20]!r} is not a number from {least:g} to {most:g}.", [least, most])
    return min(number, most)
