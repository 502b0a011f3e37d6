"""What callers of `POST /grab-ipfs` may say, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from django.conf import settings
from pydantic import ConfigDict, Field, WithJsonSchema

from captures.engine.spec import Format
from captures.fields import Density, Duration, FormatName, Fps, PlaybackFps, Quality, Side
from captures.requests import GrabRequest, Handling, Wanted, check_piece, parse
from oven.errors import BadRequest
from oven.http.fields import Schema
from pins.ipfs import backends
from pins.ipfs.backends import Credentials

SIDES = (16, 2000)
MAX_KEY = 1000


class KeepFields(Wanted):
    format: FormatName = Format.WEBP
    width: Annotated[int, Side(*SIDES), Field(description="Width of the page in CSS pixels.", examples=[256])] = 96
    height: Annotated[int, Side(*SIDES), Field(description="Height of the page in CSS pixels.", examples=[256])] = 96
    duration: Duration = 8000
    fps: Fps = 10.0  # not 10: it is part of the capture key
    playback_fps: PlaybackFps = 20.0
    density: Density = 2.0
    quality: Quality = 70


class Keys(Schema):
    """The caller's own keys at Pinata: used once, kept nowhere."""

    pinata_key: Annotated[
        Any,
        WithJsonSchema({"type": "string", "maxLength": MAX_KEY, "writeOnly": True}),
        Field(
            description="The caller's own key at Pinata: used once, kept nowhere. Without it Oven's own is used.",
            examples=["5f1c2d"],
        ),
    ] = ""
    pinata_secret: Annotated[
        Any,
        WithJsonSchema({"type": "string", "maxLength": MAX_KEY, "writeOnly": True}),
        Field(description="The secret of that key.", examples=["9a8b7c"]),
    ] = ""

    def credentials(self) -> Credentials | None:
        """Return them, None without any. Raises BadRequest when one is missing or no text."""
        found = {"pinataKey": self.pinata_key or "", "pinataSecret": self.pinata_secret or ""}
        if not any(found.values()):
            return None
        for name, value in found.items():
            if not (isinstance(value, str) and value.isprintable() and 0 < len(value) <= MAX_KEY):
                raise BadRequest(name, f"{name}: both pinataKey and pinataSecret are needed, as texts.")
        return Credentials(key=found["pinataKey"], secret=found["pinataSecret"])


class KeepBody(Keys, Handling, KeepFields):
    """What `POST /grab-ipfs` takes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"piece": "$bloom", "format": "webp"}]})


def parse_keep(raw: Mapping[str, Any]) -> tuple[GrabRequest, Credentials | None]:
    """The capture that is wanted, and the caller's keys if it sent any.

    Raises BadRequest: for the piece, then the keys, then the rest.
    """
    check_piece(raw.get("piece"))
    keys = Keys.read(raw).credentials()
    if keys is None and not backends.usable(settings.OVEN_PINNING):
        raise BadRequest("pinataKey", "pinataKey: keys are needed, with pinataSecret: this Oven has none of its own.")
    given = {name: value for name, value in raw.items() if value is not None}
    return parse(given, schema=KeepFields), keys
