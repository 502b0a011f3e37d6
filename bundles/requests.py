"""What callers of the bundle routes may say, checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from django.conf import settings
from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from bundles.engine.spec import LONGEST_NAME, PIECE_NAME, PROGRAM_CODE
from oven.http.fields import Choice, Flag, Invalid, Note, Schema

FORMATS = ("html", "json", "base64", "stream", "m4d")
DENSITY = (1, 16)
HASH_CHARS = 80


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


# --- what callers send ----------------------------------------------------------------------------------------------


def _piece(value: Any) -> str:
    name = str(value or "")
    if name and (len(name) > LONGEST_NAME or not PIECE_NAME.fullmatch(name)):
        text = f"at most {LONGEST_NAME} of a-z, 0-9, _ and - are needed, with / between folders."
        raise Invalid(text, PIECE_NAME.pattern)
    return name


def _code(value: Any, info: ValidationInfo) -> str:
    """Not read beside a piece."""
    if info.data.get("piece"):
        return ""
    code = str(value or "").removeprefix("$")
    if len(code) > LONGEST_NAME or not PROGRAM_CODE.fullmatch(code):
        raise Invalid(f"at most {LONGEST_NAME} letters, digits, _ and - are needed.", PROGRAM_CODE.pattern)
    return code


def _density(value: Any) -> int:
    """Unparsable or 0: none, as callers expect."""
    try:
        density = int(str(value or 0))
    except ValueError:
        return 0
    if density and not DENSITY[0] <= density <= DENSITY[1]:
        raise Invalid(f"{density} is not within {DENSITY[0]} to {DENSITY[1]}.", list(DENSITY))
    return density


class BundleFields(Schema):
    format: Annotated[
        str,
        Choice(FORMATS),
        BeforeValidator(lambda value: value or None),
        Field(
            description="`html`: the file; `json` and `base64`: its facts, with the file in base64; "
            "`stream`: progress as events; `m4d`: a device for Ableton Live.",
            examples=["json"],
        ),
    ] = "html"
    piece: Annotated[
        str,
        BeforeValidator(_piece),
        Field(
            description="The name of a JavaScript piece; this or `code` is needed.",
            examples=["orbit"],
            json_schema_extra={"maxLength": LONGEST_NAME, "pattern": f"^{PIECE_NAME.pattern}$"},
        ),
    ] = ""
    code: Annotated[
        str,
        BeforeValidator(_code),
        Field(
            validate_default=True,
            description="The code of a KidLisp program, with or without `$`; not read beside `piece`.",
            examples=["bloom"],
            json_schema_extra={"maxLength": LONGEST_NAME, "pattern": f"^[$]?{PROGRAM_CODE.pattern}$"},
        ),
    ] = ""
    nocompress: Annotated[bool, Flag(), Field(description="Without packing.", examples=[True])] = False
    nominify: Annotated[bool, Flag(), Field(description="Modules as they were written.", examples=[True])] = False
    density: Annotated[
        int | None,
        BeforeValidator(_density),
        WithJsonSchema({"type": "integer", "minimum": DENSITY[0], "maximum": DENSITY[1]}),
        Field(description="Art pixels for each CSS pixel; the runtime's own, if left out.", examples=[2]),
    ] = None
    source_hash: Annotated[
        str, Note(HASH_CHARS), Field(description="Tells versions of a program apart.", examples=["3f1a"])
    ] = ""

    def request(self) -> BundleRequest:
        return BundleRequest(
            piece=self.piece,
            code=self.code,
            compress=not self.nocompress,
            minify=not self.nominify,
            density=self.density or 0,
            m4d=self.format == "m4d",
            source_hash=self.source_hash,
        )


class BundleQuery(BundleFields):
    """The query of `GET /bundle-html`."""

    inline: Annotated[bool, Flag(), Field(description="To be opened, not saved.", examples=[True])] = False
    nocache: Annotated[
        bool, Flag(), Field(description="Bundle again without the cache (scope bundle).", examples=[False])
    ] = False
    rebake: Annotated[bool, Flag(), Field(description="The same as `nocache`.", examples=[False])] = False
    mode: Annotated[
        str | None,
        WithJsonSchema({"type": "string", "enum": ["device"]}),
        Field(description="`device`: a small page with a frame on the live piece.", examples=["device"]),
    ] = None


class OpenQuery(Schema):
    """The query of `GET /bundles/...`."""

    download: Annotated[bool, Flag(), Field(description="As a file to be saved.", examples=[True])] = False


def named(raw: Mapping[str, Any]) -> bool:
    return bool(raw.get("piece") or raw.get("code"))


def parse(raw: Mapping[str, Any]) -> BundleRequest:
    """Check the fields; unknown ones are ignored. Raises BadRequest for the first wrong one."""
    return BundleFields.read(raw).request()
