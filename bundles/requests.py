"""What callers of the bundle routes may say, checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings

from bundles.engine.spec import LONGEST_NAME, PIECE_NAME, PROGRAM_CODE
from oven.errors import BadRequest

FORMATS = ("html", "json", "base64", "stream", "m4d")
DENSITY = (1, 16)


@dataclass(frozen=True, slots=True)
class BundleRequest:
    """A checked wish: either `piece` or `code` is set. `source_hash` tells versions of a program apart."""

    piece: str = ""
    code: str = ""
    compress: bool = True
    minify: bool = True
    density: int = 0
    m4d: bool = False
    source_hash: str = ""

    @property
    def name(self) -> str:
        return self.piece or f"${self.code}"

    def capture_key(self, core: str) -> str:
        """Over everything that shapes the file. `core`: the tree of the runtime in service."""
        shape = {**asdict(self), "core": core, "version": settings.OVEN_RENDER_VERSION}
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BundleRequest:
        return cls(**data)


def named(raw: Mapping[str, Any]) -> bool:
    return bool(raw.get("piece") or raw.get("code"))


def parse(raw: Mapping[str, Any]) -> BundleRequest:
    """Raises BadRequest for the first wrong field. Fields that nobody knows are ignored, as callers send some."""
    piece, code = _piece(raw), ""
    if not piece:
        code = _code(raw)
    return BundleRequest(
        piece=piece,
        code=code,
        compress=not flag(raw, "nocompress"),
        minify=not flag(raw, "nominify"),
        density=_density(raw.get("density")),
        m4d=format_of(raw) == "m4d",
        source_hash=str(raw.get("sourceHash") or "")[:80],
    )


def format_of(raw: Mapping[str, Any]) -> str:
    value = str(raw.get("format") or "html").lower()
    if value not in FORMATS:
        raise BadRequest("format", f"format: {value[:20]!r} is not one of {', '.join(FORMATS)}.", list(FORMATS))
    return value


def flag(raw: Mapping[str, Any], field: str) -> bool:
    return str(raw.get(field, "")).lower() in ("1", "true")


def _piece(raw: Mapping[str, Any]) -> str:
    value = str(raw.get("piece") or "")
    if value and (len(value) > LONGEST_NAME or not PIECE_NAME.fullmatch(value)):
        text = f"piece: at most {LONGEST_NAME} of a-z, 0-9, _ and - are needed, with / between folders."
        raise BadRequest("piece", text, PIECE_NAME.pattern)
    return value


def _code(raw: Mapping[str, Any]) -> str:
    value = str(raw.get("code") or "").removeprefix("$")
    if len(value) > LONGEST_NAME or not PROGRAM_CODE.fullmatch(value):
        text = f"code: at most {LONGEST_NAME} letters, digits, _ and - are needed."
        raise BadRequest("code", text, PROGRAM_CODE.pattern)
    return value


def _density(value: object) -> int:
    """Unparsable or 0: none, as callers expect."""
    try:
        density = int(str(value or 0))
    except ValueError:
        return 0
    if density and not DENSITY[0] <= density <= DENSITY[1]:
        raise BadRequest("density", f"density: {density} is not within {DENSITY[0]} to {DENSITY[1]}.", list(DENSITY))
    return density
