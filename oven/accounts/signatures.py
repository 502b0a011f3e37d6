"""Signed addresses: who holds a key may hand out addresses that ask for more than everybody may.

`sig` is HMAC-SHA256 (base64url, without padding) over the decoded path and the rest of the query, by name; `exp`
is the second since the epoch at which the address ends. Off unless OVEN_URL_KEYS are set.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from oven.numbers import whole

LEAST_KEY = 16  # characters
LIMITED = ("width", "height", "density", "duration", "fps", "playbackFps")
Pairs = list[tuple[str, str]]


class Unsigned(Exception):
    """A field is beyond what an unsigned address may ask for, or (`sig`, `exp`) the signature is no good."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


# --- settings -------------------------------------------------------------------------------------------------------


def keys(found: Iterable[str]) -> list[str]:
    """Raises ValueError for one that could be guessed."""
    kept = [key.strip() for key in found if key.strip()]
    if any(len(key) < LEAST_KEY for key in kept):
        raise ValueError(f"OVEN_URL_KEYS: a key needs at least {LEAST_KEY} characters.")
    return kept


def limits(found: Iterable[str]) -> dict[str, float]:
    """Of `duration=12000` and the like. Raises ValueError."""
    pairs = [(name.strip(), value) for name, _, value in (text.partition("=") for text in found)]
    if unknown := {name for name, _ in pairs} - set(LIMITED):
        raise ValueError(f"OVEN_UNSIGNED_LIMITS: {', '.join(unknown)} is not one of {', '.join(LIMITED)}.")
    return {name: float(value) for name, value in pairs}


# --- signing and checking -------------------------------------------------------------------------------------------


def sign(url: str, lasts_s: float) -> str:
    """The address with `exp` and `sig`, by the newest key. Raises ValueError without a key."""
    if not (found := _keys()):
        raise ValueError("OVEN_URL_KEYS: there is no key to sign with.")
    parts = urlsplit(url)
    pairs = [pair for pair in _pairs(parts.query) if pair[0] not in ("sig", "exp")]
    pairs.append(("exp", str(int(time.time() + lasts_s))))
    signature = _digest(found[0], parts.path, pairs)
    return urlunsplit(parts._replace(query=urlencode([*pairs, ("sig", signature)])))


def check(address: str, asked: Mapping[str, float]) -> None:
    """`address`: path and query. Raises Unsigned when more is asked for than an address without a signature may."""
    from django.conf import settings

    if not settings.OVEN_URL_KEYS:
        return
    for name, limit in settings.OVEN_UNSIGNED_LIMITS.items():
        if asked.get(name, 0) > limit:
            _verify(address, Unsigned(name, f"{name}: above {limit:g} the address must be signed."))
            return


def _verify(address: str, missing: Unsigned) -> None:
    parts = urlsplit(address)
    pairs = _pairs(parts.query)
    given = dict(pairs)
    if "sig" not in given:
        raise missing
    rest = [pair for pair in pairs if pair[0] != "sig"]
    found = [_digest(key, parts.path, rest).encode() for key in _keys()]
    if not sum(hmac.compare_digest(good, given["sig"].encode()) for good in found):
        raise Unsigned("sig", "sig: this is not the signature of this address.")
    ends = whole(given.get("exp", ""))
    if ends is None or ends <= time.time():
        raise Unsigned("exp", "exp: this address has expired.")


def _digest(key: str, path: str, pairs: Pairs) -> str:
    """Names in their order; values of one name stay in theirs, for the last one counts."""
    text = f"{unquote(path)}\n{urlencode(sorted(pairs, key=lambda pair: pair[0]))}"
    found = hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode()


def _pairs(query: str) -> Pairs:
    return parse_qsl(query, keep_blank_values=True)


def _keys() -> list[str]:
    from django.conf import settings

    return list(settings.OVEN_URL_KEYS)
