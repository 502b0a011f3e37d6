"""What callers of the bake routes may say, checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from bakes.models import ANSWER_CHARS, URL_CHARS
from oven.egress.client import Door, normalised
from oven.errors import BadRequest
from oven.storage import urls

CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
REQUIRED = ("mongoId", "slug", "code", "zipUrl", "callbackUrl")


@dataclass(frozen=True, slots=True)
class BakeRequest:
    """A checked wish."""

    code: str
    slug: str
    mongo_id: str
    zip_url: str
    callback_url: str


def require(raw: Mapping[str, Any], *fields: str) -> None:
    """Raises BadRequest for the first one that is missing or empty."""
    for field in fields:
        if not raw.get(field):
            raise BadRequest(field, f"{field}: this field is needed.", list(fields))


def parse(raw: Mapping[str, Any]) -> BakeRequest:
    """Raises BadRequest for the first wrong field. The secret is checked elsewhere."""
    require(raw, *REQUIRED)
    return BakeRequest(
        code=check_code(raw["code"]),
        slug=_text(raw, "slug", 200),
        mongo_id=_text(raw, "mongoId", 64),
        zip_url=_url(raw, "zipUrl", tape_door()),
        callback_url=_url(raw, "callbackUrl", callback_door()),
    )


def check_code(value: object) -> str:
    if not isinstance(value, str) or not CODE.fullmatch(value):
        raise BadRequest("code", "code: 1 to 64 letters, digits, _ or - are needed.")
    return value


def short(value: object, limit: int = ANSWER_CHARS) -> str:
    """A text of somebody else's, cut to what is kept."""
    return str(value or "")[:limit]


def _text(raw: Mapping[str, Any], field: str, limit: int) -> str:
    value = raw[field]
    if not isinstance(value, str) or len(value) > limit or any(ord(char) < 32 for char in value):
        raise BadRequest(field, f"{field}: a text of at most {limit} characters is needed.", limit)
    return value


def _url(raw: Mapping[str, Any], field: str, door: Door) -> str:
    value = raw[field]
    if not isinstance(value, str) or len(value) > URL_CHARS:
        raise BadRequest(field, f"{field}: an address of at most {URL_CHARS} characters is needed.", URL_CHARS)
    try:
        url = normalised(value)
        parts = urlsplit(url)
    except ValueError:
        raise BadRequest(field, f"{field}: this is not a valid address.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadRequest(field, f"{field}: an http or https address is needed.", ["http", "https"])
    if parts.username is not None or not door.knows(url):
        raise BadRequest(field, f"{field}: {parts.hostname} is not a known origin.", list(door.origins))
    return url


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
