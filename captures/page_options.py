"""A caller's options for a page that was not made for Oven: checked, and stored without secrets in the clear."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cache
from typing import Annotated, Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from pydantic import BeforeValidator, Field

from captures.engine.options import KEYS, MAX_HEIGHT, NO_OPTIONS, PageOptions
from oven.errors import BadRequest
from oven.http.fields import Choice, Flag, Invalid, Schema
from oven.numbers import whole

MAX_TEXT = 500
MAX_ACTIONS = 20
MAX_PAIRS = 20
PADDING = (0, 1000)
COLOR_SCHEMES = ("light", "dark")
SECRET = ("headers", "cookies")
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_THE_BROWSER = ("host", "content-length", "connection", "transfer-encoding", "cookie")


# --- what callers send ----------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if not value:
        return ""
    if not isinstance(value, str):
        raise Invalid("a text is needed.")
    if len(value) > MAX_TEXT or not value.isprintable():
        raise Invalid(f"at most {MAX_TEXT} printable characters are allowed.", MAX_TEXT)
    return value


def _texts(value: Any) -> tuple[str, ...]:
    """One text, or a list of them."""
    found = (value if isinstance(value, list) else [value]) if value else []
    if len(found) > MAX_ACTIONS:
        raise Invalid(f"at most {MAX_ACTIONS} are allowed.", MAX_ACTIONS)
    return tuple(_text(text) for text in found)


def _keys(value: Any) -> tuple[str, ...]:
    keys = tuple("Space" if key == " " else key for key in _texts(value))
    for key in keys:
        if len(key) != 1 and key not in KEYS:
            raise Invalid(f"{key[:20]!r} is neither one character nor one of {', '.join(KEYS)}.", list(KEYS))
    return keys


def _padding(value: Any) -> int:
    value, (least, most) = value or 0, PADDING
    padding = whole(str(value), 5)
    if isinstance(value, bool) or padding is None or not least <= padding <= most:
        raise Invalid(f"{str(value)[:20]} is not within {least} to {most} CSS pixels.", list(PADDING))
    return padding


def _timezone(value: Any) -> str:
    name = _text(value)
    if name and name not in zoneinfo.available_timezones():
        raise Invalid(f"{name[:40]!r} is no time zone as Europe/Berlin.", "IANA name")
    return name


def _locale(value: Any) -> str:
    tag = _text(value)
    if tag and not _LOCALE.fullmatch(tag):
        raise Invalid(f"{tag[:20]!r} is no language tag as de-DE.", "BCP 47")
    return tag.replace("_", "-")


def _pairs(value: Any, kept: tuple[str, ...] = ()) -> dict[str, str]:
    """An object of names and texts; those that are `kept` cannot be set."""
    pairs = value or {}
    if not isinstance(pairs, dict) or len(pairs) > MAX_PAIRS:
        raise Invalid(f"an object of at most {MAX_PAIRS} names and texts is needed.", MAX_PAIRS)
    for name in pairs:
        if not _TOKEN.fullmatch(name) or name.lower() in kept:
            raise Invalid(f"{name[:40]!r} is a name that cannot be set.")
    return {name: _text(text) for name, text in pairs.items()}


def _headers(value: Any) -> dict[str, str]:
    return _pairs(value, kept=_OF_THE_BROWSER)


class PageFields(Schema):
    """Options for pages that were not made for Oven."""

    selector: Annotated[
        str,
        BeforeValidator(_text),
        Field(
            max_length=MAX_TEXT,
            description="Capture only the first element that matches this CSS selector.",
            examples=["#hero"],
        ),
    ] = ""
    padding: Annotated[
        int,
        BeforeValidator(_padding),
        Field(
            description="CSS pixels around that element.",
            examples=[16],
            json_schema_extra={"minimum": PADDING[0], "maximum": PADDING[1]},
        ),
    ] = 0
    full_page: Annotated[
        bool,
        Flag(),
        Field(
            description=f"Capture the page's whole height, at most {MAX_HEIGHT} CSS pixels (warning `cut`). An "
            "animation is captured in a viewport of that height.",
            examples=[True],
        ),
    ] = False
    click: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_TEXT)], ...],
        BeforeValidator(_texts),
        Field(
            max_length=MAX_ACTIONS,
            description="Selectors of elements to click, once the page is ready; one text, or a list.",
            examples=[["#start"]],
        ),
    ] = ()
    press: Annotated[
        tuple[Annotated[str, Field(max_length=MAX_TEXT)], ...],
        BeforeValidator(_keys),
        Field(
            max_length=MAX_ACTIONS,
            description=f"Keys to press after the clicks: one character, or {', '.join(KEYS)}.",
            examples=[["Enter"]],
        ),
    ] = ()
    wait_for: Annotated[
        str,
        BeforeValidator(_text),
        Field(
            max_length=MAX_TEXT,
            description="Wait until this selector matches, or this expression is true.",
            examples=["window.ready"],
        ),
    ] = ""
    user_agent: Annotated[
        str,
        BeforeValidator(_text),
        Field(max_length=MAX_TEXT, description="What the browser calls itself.", examples=["Agent/1"]),
    ] = ""
    color_scheme: Annotated[
        str | None,
        Choice(COLOR_SCHEMES, fold=False),
        BeforeValidator(_text),
        Field(description="The colour scheme that the page's visitor prefers.", examples=["dark"]),
    ] = None
    timezone: Annotated[
        str,
        BeforeValidator(_timezone),
        Field(max_length=MAX_TEXT, description="The visitor's time zone, an IANA name.", examples=["Europe/Berlin"]),
    ] = ""
    locale: Annotated[
        str,
        BeforeValidator(_locale),
        Field(max_length=MAX_TEXT, description="The visitor's language, a BCP 47 tag.", examples=["de-DE"]),
    ] = ""
    headers: Annotated[
        dict[str, str],
        BeforeValidator(_headers),
        Field(
            default_factory=dict,
            json_schema_extra={"maxProperties": MAX_PAIRS},
            description="Sent with every request of the page, to whatever host.",
            examples=[{"Authorization": "Bearer ..."}],
        ),
    ]
    cookies: Annotated[
        dict[str, str],
        BeforeValidator(_pairs),
        Field(
            default_factory=dict,
            json_schema_extra={"maxProperties": MAX_PAIRS},
            description="Sent to the page's own host.",
            examples=[{"session": "6b1f"}],
        ),
    ]

    def page(self) -> PageOptions:
        """Return the engine's options. Raises BadRequest for those that do not go together."""
        if self.selector and self.full_page:
            raise BadRequest("fullPage", "fullPage: say either that or a selector.")
        if self.padding and not self.selector:
            raise BadRequest("padding", "padding: there is nothing to pad without a selector.")
        return PageOptions(
            selector=self.selector,
            padding=self.padding,
            full_page=self.full_page,
            clicks=self.click,
            keys=self.press,
            wait_for=self.wait_for,
            user_agent=self.user_agent,
            color_scheme=self.color_scheme or "",
            timezone=self.timezone,
            locale=self.locale,
            headers=tuple(self.headers.items()),
            cookies=tuple(self.cookies.items()),
        )


# In the row


def to_json(page: PageOptions) -> dict[str, Any]:
    """Return what differs from the default, for JSON. Headers and cookies are encrypted: they may be credentials."""
    if page == NO_OPTIONS:
        return {}
    changed = {
        field.name: value
        for field in fields(PageOptions)
        if (value := getattr(page, field.name)) != getattr(NO_OPTIONS, field.name)
    }
    secret = {name: changed.pop(name) for name in SECRET if name in changed}
    if secret:
        changed["encrypted"] = _fernet(settings.SECRET_KEY).encrypt(json.dumps(secret).encode()).decode()
    return changed


def from_json(data: Mapping[str, Any]) -> PageOptions:
    """Return what `to_json` was given. Raises BadRequest when it was encrypted with another SECRET_KEY."""
    found = dict(data)
    if encrypted := found.pop("encrypted", ""):
        try:
            secret = json.loads(_fernet(settings.SECRET_KEY).decrypt(encrypted.encode()))
        except InvalidToken:
            text = "headers: they were encrypted with another SECRET_KEY and cannot be read; send POST /grab again."
            raise BadRequest("headers", text) from None
        found |= {name: tuple(map(tuple, pairs)) for name, pairs in secret.items()}
    for name in ("clicks", "keys"):
        found[name] = tuple(found.get(name, ()))
    return PageOptions(**found)


def plain(page: PageOptions) -> dict[str, Any]:
    """Return everything, for the digest that tells captures apart."""
    return asdict(page)


@cache
def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"oven page options {secret}".encode()).digest()))
