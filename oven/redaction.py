"""Secrets do not get into the logs: what looks like one in any line is replaced, wherever the line came from.

Looked at are the fields of a line by their names; texts for `name=value`, `"name": "value"`, `Authorization` and
passwords within addresses; and any text for what is known to be a secret: our own tokens and the settings' values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

MASK = "***"
LEAST = 8  # characters of a setting that is searched for
DEEPEST = 6
_NAMES = (
    r"sesame|sig|signature|token|access_token|id_token|secret|callback_?secret|pinata_?(?:key|secret|jwt)|jwt|password"
    r"|passwd|authorization|cookie|set-cookie|sessionid|session_key|csrftoken|csrfmiddlewaretoken|api_?key|secret_?key"
)
_FIELD = re.compile(_NAMES, re.IGNORECASE)
_TEXTS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(rf"(?i)\b({_NAMES}|key)(=)[^\s&;,'\"<>]+"), rf"\1\2{MASK}"),
    (re.compile(rf"(?i)(['\"](?:{_NAMES})['\"]: ?b?['\"])[^'\"]*"), rf"\1{MASK}"),
    (re.compile(r"(?i)(authorization['\"]?[:=] ?(?:b?['\"])?(?:basic |bearer )?)[^\s'\"]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b(bearer) [A-Za-z0-9._~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"(://[^\s/:@'\"]*:)[^\s/@'\"]+@"), rf"\1{MASK}@"),
    (re.compile(r"\b(oven_)[A-Za-z0-9_-]{28,}|\b(whsec_)[A-Za-z0-9+/=]{16,}"), rf"\1\2{MASK}"),
]
Line = MutableMapping[str, Any]


def processor(secrets: Iterable[str]) -> Callable[[Any, str, Line], Line]:
    """For structlog, right before a line is written. `secrets`: values that may stand in no line."""
    known = sorted({re.escape(secret) for secret in secrets if len(secret) >= LEAST}, key=len, reverse=True)
    values = re.compile("|".join(known)) if known else None

    def mask(_: Any, __: str, line: Line) -> Line:
        for name, value in line.items():
            line[name] = _masked(name, value, values, 0)
        return line

    return mask


def _masked(name: str, value: Any, values: re.Pattern[str] | None, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if _FIELD.fullmatch(name):
        return MASK
    if isinstance(value, Mapping) and depth < DEEPEST:
        return {key: _masked(str(key), found, values, depth + 1) for key, found in value.items()}
    if isinstance(value, list | tuple) and depth < DEEPEST:
        return [_masked("", found, values, depth + 1) for found in value]
    return text(value if isinstance(value, str) else str(value), values)


def text(line: str, values: re.Pattern[str] | None = None) -> str:
    """A text without what looks like a secret."""
    if values is not None:
        line = values.sub(MASK, line)
    for pattern, masked in _TEXTS:
        line = pattern.sub(masked, line)
    return line
