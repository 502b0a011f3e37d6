"""What the settings say of the two further ways to sign in: an identity provider, and passkeys. Both may be off."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase

from oven.accounts.roles import Role

DISCOVERY = "/.well-known/openid-configuration"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
View = Callable[..., HttpResponseBase]


class Origin(NamedTuple):
    """Of an address: "https", "oven.example", "https://oven.example:8443"."""

    scheme: str
    host: str
    text: str


def oidc_on() -> bool:
    return bool(settings.OVEN_OIDC_ISSUER and settings.OVEN_OIDC_CLIENT_ID)


def passkeys_on() -> bool:
    return bool(settings.OVEN_PASSKEYS)


def only_if(on: Callable[[], bool]) -> Callable[[View], View]:
    """What is not configured is not there: 404, for everybody."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not on():
                raise Http404
            return view(request, *args, **kwargs)

        return guarded

    return guard


def issuer() -> str:
    """As accounts are known by it: with or without a slash at its end it is the same one."""
    return str(settings.OVEN_OIDC_ISSUER).rstrip("/")


def relying_party() -> str:
    """The host that passkeys are for."""
    return origin(settings.OVEN_PUBLIC_URL).host


def origin(url: str) -> Origin:
    parts = urlsplit(url)
    return Origin(parts.scheme, (parts.hostname or "").lower(), f"{parts.scheme}://{parts.netloc}".lower())


def is_private_enough(url: str) -> bool:
    """https, or within this machine, for development."""
    scheme, host, _ = origin(url)
    return bool(host) and (scheme == "https" or (scheme == "http" and host in LOOPBACK))


def mapping(text: str) -> dict[str, Role]:
    """`group=role,group=role`, or a JSON object where groups have commas in them. Raises ValueError."""
    pairs: Any
    if text.lstrip().startswith("{"):
        pairs = json.loads(text).items()
    else:
        pairs = [entry.strip().rpartition("=")[::2] for entry in text.split(",") if entry.strip()]
    found = {}
    for group, role in pairs:
        if not group or role not in list(Role):
            raise ValueError(f"{group or role!r} needs one of the roles {', '.join(Role)} after a =")
        found[str(group)] = Role(role)
    return found
