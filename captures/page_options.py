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
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from captures.engine.options import KEYS, NO_OPTIONS, PageOptions
from oven.errors import BadRequest
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


def parse_page(raw: Mapping[str, Any]) -> PageOptions:
    """Check the page's fields. Raises BadRequest for the first wrong one."""
    page = PageOptions(
        selector=_text(raw, "selector"),
        padding=_padding(raw),
        full_page=raw.get("fullPage") in (True, "true", "1"),
        clicks=_texts(raw, "click"),
        keys=tuple(_key(key) for key in _texts(raw, "press")),
        wait_for=_text(raw, "waitFor"),
        user_agent=_text(raw, "userAgent"),
        color_scheme=_color_scheme(raw),
        timezone=_timezone(raw),
        locale=_locale(raw),
        headers=_pairs(raw, "headers"),
        cookies=_pairs(raw, "cookies"),
    )
    if page.selector and page.full_page:
        raise BadRequest("fullPage", "fullPage: say either that or a selector.")
    if page.padding and not page.selector:
        raise BadRequest("padding", "padding: there is nothing to pad without a selector.")
    return page


def _text(raw: Mapping[str, Any], field: str) -> str:
    value = raw.get(field) or ""
    if not isinstance(value, str):
        raise BadRequest(field, f"{field}: a text is needed.")
    if len(value) > MAX_TEXT or not value.isprintable():
        raise BadRequest(field, f"{field}: at most {MAX_TEXT} printable characters are allowed.", MAX_TEXT)
    return value


def _texts(raw: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """One text, or a list of them."""
    value = raw.get(field) or []
    found = value if isinstance(value, list) else [value]
    if len(found) > MAX_ACTIONS:
        raise BadRequest(field, f"{field}: at most {MAX_ACTIONS} are allowed.", MAX_ACTIONS)
    return tuple(_text({field: text}, field) for text in found)


def _key(key: str) -> str:
    named = "Space" if key == " " else key
    if len(named) != 1 and named not in KEYS:
        text = f"press: {key[:20]!r} is neither one character nor one of {', '.join(KEYS)}."
        raise BadRequest("press", text, list(KEYS))
    return named


def _padding(raw: Mapping[str, Any]) -> int:
    value, (least, most) = raw.get("padding") or 0, PADDING
    padding = whole(str(value), 5)
    if isinstance(value, bool) or padding is None or not least <= padding <= most:
        text = f"padding: {str(value)[:20]} is not within {least} to {most} CSS pixels."
        raise BadRequest("padding", text, list(PADDING))
    return padding


def _color_scheme(raw: Mapping[str, Any]) -> str:
    value = _text(raw, "colorScheme")
    if value and value not in COLOR_SCHEMES:
        text = f"colorScheme: {value[:20]!r} is not one of {', '.join(COLOR_SCHEMES)}."
        raise BadRequest("colorScheme", text, list(COLOR_SCHEMES))
    return value


def _timezone(raw: Mapping[str, Any]) -> str:
    value = _text(raw, "timezone")
    if value and value not in zoneinfo.available_timezones():
        raise BadRequest("timezone", f"timezone: {value[:40]!r} is no time zone as Europe/Berlin.", "IANA name")
    return value


def _locale(raw: Mapping[str, Any]) -> str:
    value = _text(raw, "locale")
    if value and not _LOCALE.fullmatch(value):
        raise BadRequest("locale", f"locale: {value[:20]!r} is no language tag as de-DE.", "BCP 47")
    return value.replace("_", "-")


def _pairs(raw: Mapping[str, Any], field: str) -> tuple[tuple[str, str], ...]:
    """An object of names and texts."""
    value = raw.get(field) or {}
    if not isinstance(value, dict) or len(value) > MAX_PAIRS:
        raise BadRequest(field, f"{field}: an object of at most {MAX_PAIRS} names and texts is needed.", MAX_PAIRS)
    for name in value:
        if not _TOKEN.fullmatch(name) or (field == "headers" and name.lower() in _OF_THE_BROWSER):
            raise BadRequest(field, f"{field}: {name[:40]!r} is a name that cannot be set.")
    return tuple((name, _text({field: text}, field)) for name, text in value.items())


# In the row


def to_json(page: PageOptions) -> dict[str, Any]:
    """Return what differs from the default, for JSON. Headers and cookies are encrypted: they may be credentials."""
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
