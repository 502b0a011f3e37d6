"""What callers of the bake routes may say, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from django.conf import settings
from pydantic import BeforeValidator, Field

from bakes.models import ANSWER_CHARS, URL_CHARS
from oven.egress.client import Door, normalised
from oven.errors import BadRequest
from oven.http.fields import Invalid, Kind, Note, Schema, required
from oven.storage import urls

CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
STATUS_CHARS = 40
REQUIRED = ("mongoId", "slug", "code", "zipUrl", "callbackUrl")


@dataclass(frozen=True, slots=True)
class BakeRequest:
    """A checked wish."""

    code: str
    slug: str
    mongo_id: str
    zip_url: str
    callback_url: str


def check_code(value: object) -> str:
    if not isinstance(value, str) or not CODE.fullmatch(value):
        raise BadRequest("code", "code: 1 to 64 letters, digits, _ or - are needed.")
    return value


def short(value: object, limit: int = ANSWER_CHARS) -> str:
    """Return a text, cut to the length that is stored."""
    return str(value or "")[:limit]


@dataclass(frozen=True, slots=True)
class Name(Kind):
    """A text of at most so many characters without control characters."""

    limit: int

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or len(value) > self.limit or any(ord(char) < 32 for char in value):
            raise Invalid(f"a text of at most {self.limit} characters is needed.", self.limit)
        return value

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.limit}


@dataclass(frozen=True, slots=True)
class Address(Kind):
    """An http or https address on an origin that is known."""

    door: Callable[[], Door]

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or len(value) > URL_CHARS:
            raise Invalid(f"an address of at most {URL_CHARS} characters is needed.", URL_CHARS)
        try:
            url = normalised(value)
            parts = urlsplit(url)
        except ValueError:
            raise Invalid("this is not a valid address.") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid("an http or https address is needed.", ["http", "https"])
        door = self.door()
        if parts.username is not None or not door.knows(url):
            raise Invalid(f"{parts.hostname} is not a known origin.", list(door.origins))
        return url

    def describe(self) -> dict[str, Any]:
        return {"type": "string", "format": "uri", "maxLength": URL_CHARS}


def tape_door() -> Door:
    """Where tapes may come from: the known origins, the piece site, and our own store."""
    own = [settings.OVEN_PIECE_ORIGIN, settings.OVEN_PUBLIC_URL, urls.public_origin("blobs")]
    origins = [*settings.OVEN_TAPE_ORIGINS, *own, *_demo_origins()]
    return Door(
        origins=tuple(dict.fromkeys(origin for origin in origins if origin)),
        max_bytes=settings.OVEN_TAPE_MAX_MB << 20,
        total_s=settings.OVEN_TAPE_DOWNLOAD_S,
    )


def callback_door() -> Door:
    """Where callbacks, which carry the secret, may go."""
    return Door(
        origins=tuple(dict.fromkeys([*settings.OVEN_CALLBACK_ORIGINS, settings.OVEN_PIECE_ORIGIN, *_demo_origins()])),
        max_bytes=64 << 10,
        idle_s=settings.OVEN_CALLBACK_WAIT_S,
        total_s=settings.OVEN_CALLBACK_WAIT_S,
        redirects=0,
    )


def _demo_origins() -> list[str]:
    """The site of `manage.py demo`: known only where the pieces come from this very machine, as in a trial."""
    local = ("127.0.0.1", "localhost", "::1")
    origins = [settings.OVEN_PIECE_ORIGIN, settings.OVEN_DEMO_ORIGIN]
    return origins[1:] if all(urlsplit(origin).hostname in local for origin in origins) else []


# --- what callers send ----------------------------------------------------------------------------------------------

_CODE = Field(
    description="The tape's code.",
    examples=["abc123"],
    json_schema_extra={"pattern": f"^{CODE.pattern}$", "maxLength": 64},
)
_SLUG = Field(description="The tape's name in addresses.", examples=["2026.01.31.12.00.00.000"])
_MONGO_ID = Field(description="The id of the tape's record at the site.", examples=["65a000000000000000000001"])
Code = Annotated[str, BeforeValidator(check_code), _CODE]
ReportedCode = Annotated[str, BeforeValidator(str), _CODE]  # of no bake, if it is malformed


class BakeFields(Schema):
    code: Code
    slug: Annotated[str, Name(200), _SLUG]
    mongo_id: Annotated[str, Name(64), _MONGO_ID]
    zip_url: Annotated[
        str,
        Address(tape_door),
        Field(
            description="The tape, on a known origin (OVEN_TAPE_ORIGINS).",
            examples=["https://tapes.example.com/abc123.zip"],
        ),
    ]
    callback_url: Annotated[
        str,
        Address(callback_door),
        Field(
            description="Receives the result, on a known origin (OVEN_CALLBACK_ORIGINS).",
            examples=["https://example.com/api/oven-complete"],
        ),
    ]


class BakeBody(BakeFields):
    """What `POST /bake` takes."""

    callback_secret: Annotated[
        str, Field(description="The secret shared with this Oven.", examples=["a-long-random-text"])
    ]
    metadata: Annotated[
        dict[str, Any], Field(description="Accepted, not used.", examples=[{"totalDuration": 12.5}])
    ] = {}


class IncomingBody(Schema):
    """What `POST /bake-incoming` takes."""

    code: Code
    slug: Annotated[str, Note(200), _SLUG]
    mongo_id: Annotated[str, Note(64), _MONGO_ID] = ""
    details: Annotated[
        str, Note(ANSWER_CHARS), Field(description="Shown beside it.", examples=["Waiting for its frames"])
    ] = ""


class StatusBody(Schema):
    """What `POST /bake-status` takes."""

    code: ReportedCode
    status: Annotated[str, Note(STATUS_CHARS), Field(description="How far the site is.", examples=["syncing"])] = ""
    details: Annotated[str, Note(ANSWER_CHARS), Field(description="Shown beside it.", examples=["2 of 3 files"])] = ""


class CompleteBody(Schema):
    """What `POST /bake-complete` takes."""

    code: ReportedCode
    success: Annotated[
        bool,
        BeforeValidator(lambda value: value is True),
        Field(description="True when the site has all it needs.", examples=[True]),
    ] = False
    error: Annotated[str, Note(ANSWER_CHARS), Field(description="Why not.", examples=["The upload failed."])] = ""
    slug: Annotated[str, Note(200), _SLUG] = ""
    mp4_url: Annotated[
        str,
        Note(URL_CHARS),
        Field(description="Not taken over: Oven knows its own.", examples=["https://example.com/abc123.mp4"]),
    ] = ""
    thumbnail_url: Annotated[
        str,
        Note(URL_CHARS),
        Field(description="Not taken over: Oven knows its own.", examples=["https://example.com/abc123.jpg"]),
    ] = ""


def parse(raw: Mapping[str, Any]) -> BakeRequest:
    """Raises BadRequest for the first wrong field. The secret is checked elsewhere."""
    required(raw, *REQUIRED)
    return BakeRequest(**BakeFields.read(raw).model_dump())
