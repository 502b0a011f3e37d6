"""Where files are pinned: the back-ends by name, and what they share.

A back-end has its credentials from the settings (or, for one pin, from a caller); they are part of nothing that is
stored, logged or shown.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.module_loading import import_string

from oven.egress.client import Door, FetchError, Reply
from pins.ipfs.cid import BY_VERSION, BadCid, Cid, Profile, parse

BACKENDS = {
    "local": "pins.ipfs.local.Local",
    "pinata": "pins.ipfs.pinata.Pinata",
    "kubo": "pins.ipfs.kubo.Kubo",
}
JITTER = 0.2
LONGEST_RETRY_AFTER_S = 3600.0
ANSWER_CHARS = 200
ANSWER_BYTES = 256 << 10
NOT_OFFERED = (403, 404, 405, 501)  # a service without the look-up, or a key that may only pin


class PinError(Exception):
    """A file that was not pinned: `code` to filter by, a sentence, whether and when another try may help."""

    def __init__(self, code: str, message: str, retry: bool = False, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.code, self.message, self.retry, self.retry_after_s = code, message, retry, retry_after_s


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a service knows its customer by: a token, or a key and its secret."""

    token: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.token or (self.key and self.secret))

    def redacted(self, text: str) -> str:
        """A text of the service's, without what it may have repeated."""
        for known in (self.token, self.key, self.secret):
            text = text.replace(known, "…") if known else text
        return text


@dataclass(frozen=True, slots=True)
class Content:
    """A file to be pinned, and the CIDs that it has under every known profile."""

    path: Path
    filename: str
    sha256: str
    cids: dict[str, Cid]

    @property
    def label(self) -> str:
        """Its name at a service: the same content is found again by it."""
        return f"{self.filename}-{self.sha256[:16]}"

    @property
    def wanted(self) -> str:
        """The CID that we ask services for."""
        return self.cids[profile().name].text(profile().version)

    def checked(self, answer: object) -> str:
        """The CID that a service gave, in its usual spelling. Raises PinError when it is not one of this file's."""
        try:
            found = parse(str(answer))
        except BadCid as bad:
            raise PinError("bad_answer", f"The pinning service gave no CID: {bad}", retry=True) from None
        if found not in self.cids.values():
            message = f"The pinning service gave {str(answer)[:100]}, but by its content the file is {self.wanted}."
            raise PinError("cid_mismatch", message)
        return found.text(0 if str(answer).startswith("Qm") else 1)


class Backend(Protocol):
    """One service, with its credentials."""

    async def find(self, content: Content) -> str:
        """The CID under which it has pinned the file already; empty when it has not. Raises PinError."""

    async def add(self, content: Content) -> str:
        """Pins the file; the CID that the service says it has. Raises PinError."""


@dataclass(frozen=True, slots=True)
class Pinned:
    cid: str
    found: bool  # it was pinned there before


def profile() -> Profile:
    """What we ask services for."""
    return BY_VERSION[0 if settings.OVEN_CID_VERSION == 0 else 1]


def get(name: str, credentials: Credentials | None = None) -> Backend:
    """A back-end with a caller's credentials, or else those of the settings. Raises PinError."""
    if name not in BACKENDS:
        raise PinError("unknown_backend", f"There is no back-end {name!r}, only {', '.join(BACKENDS)}.")
    backend: Backend = import_string(BACKENDS[name])(credentials)
    return backend


def usable(name: str) -> bool:
    """Whether the settings suffice for it."""
    try:
        get(name)
    except PinError:
        return False
    return True


async def pin(backend: Backend, content: Content, look_first: bool) -> Pinned:
    """Pins a file once: `look_first` when it may be there already. What comes back is compared. Raises PinError."""
    if look_first and (known := await backend.find(content)):
        return Pinned(content.checked(known), found=True)
    return Pinned(content.checked(await backend.add(content)), found=False)


async def pin_patiently(backend: Backend, content: Content, look_first: bool, patience_s: float) -> Pinned:
    """The same, tried again until it succeeds, cannot, or would take longer than that. Raises PinError."""
    deadline = time.monotonic() + patience_s
    for tries in itertools.count(1):
        try:
            return await pin(backend, content, look_first)
        except PinError as error:
            pause = retry_delay(tries, error.retry_after_s).total_seconds()
            if not error.retry or time.monotonic() + pause > deadline:
                raise
        await asyncio.sleep(pause)
        look_first = True  # it may have been pinned although nothing came back
    raise AssertionError("unreachable")


def retry_delay(tries: int, at_least_s: float = 0.0) -> timedelta:
    """Until the next try: no sooner than the service has asked for."""
    delays = settings.OVEN_PIN_DELAYS_S or [0.0]
    wanted = max(delays[min(tries, len(delays)) - 1], min(at_least_s, LONGEST_RETRY_AFTER_S))
    return timedelta(seconds=wanted * random.uniform(1, 1 + JITTER))


# --- what the services over HTTP share ------------------------------------------------------------------------------


def door(base: str) -> Door:
    """To one service only, which whoever runs this Oven has named."""
    limit_s = settings.OVEN_PIN_LIMIT_S
    parts = urlsplit(base)
    origin = f"{parts.scheme}://{parts.netloc}"
    return Door(origins=(origin,), max_bytes=ANSWER_BYTES, idle_s=limit_s, total_s=limit_s, redirects=0)


async def ask(request: Coroutine[Any, Any, Reply], credentials: Credentials) -> Reply:
    """The service's answer, if it is a good one or a refusal of the look-up. Raises PinError."""
    try:
        reply = await request
    except FetchError as error:
        raise PinError(error.code, f"The pinning service: {error.message}", error.retry) from None
    if reply.status == 200 or reply.status in NOT_OFFERED:
        return reply
    text = credentials.redacted(" ".join(reply.text.split()))[:ANSWER_CHARS]
    said = f" ({text})" if text else ""
    if reply.status == 401:
        raise PinError("credentials", f"The pinning service does not know these credentials{said}.")
    if reply.status == 429:
        raise PinError("rate_limited", "The pinning service asks to wait.", True, reply.retry_after_s or 0.0)
    message = f"The pinning service answered HTTP {reply.status}{said}."
    raise PinError("http_status", message, reply.status >= 500 or reply.status == 408, reply.retry_after_s or 0.0)


def refused(reply: Reply) -> None:
    """For a request that must succeed. Raises PinError."""
    if reply.status == 403:
        raise PinError("credentials", "The pinning service does not let these credentials pin files.")
    if reply.status != 200:
        raise PinError("http_status", f"The pinning service answered HTTP {reply.status}: is its address right?")


def as_object(text: str) -> dict[str, Any]:
    """An answer's JSON object. Raises PinError when it is none: it was cut short, or is not the service's."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise PinError("bad_answer", "The pinning service's answer is not what it should be.", retry=True)
    return found
