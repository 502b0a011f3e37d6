"""What is configured by half is an error that names what is missing: `migrate`, and so every start, refuses it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import Error, register

from oven.accounts.login import config

LONGEST_ISSUER = 200  # what an account is known by fits into its column
OIDC = ("OVEN_OIDC_ISSUER", "OVEN_OIDC_CLIENT_ID", "OVEN_OIDC_CLIENT_SECRET", "OVEN_OIDC_ROLES")
NEEDED = ("OVEN_OIDC_ISSUER", "OVEN_OIDC_CLIENT_ID", "OVEN_OIDC_ROLES", "OVEN_PUBLIC_URL")


@register()
def oidc(**_: Any) -> list[Error]:
    if not any(getattr(settings, name) for name in OIDC):
        return []
    missing = [
        Error(f"{name} is missing: sign-in by OpenID Connect needs it.", id="identity.E001")
        for name in NEEDED
        if not getattr(settings, name)
    ]
    return [*missing, *_issuer(settings.OVEN_OIDC_ISSUER), *_roles(settings.OVEN_OIDC_ROLES)]


def _issuer(issuer: str) -> list[Error]:
    if issuer and not config.is_private_enough(issuer):
        return [Error("OVEN_OIDC_ISSUER is no https address (http: on this machine only).", id="identity.E002")]
    if len(issuer) > LONGEST_ISSUER:
        return [Error(f"OVEN_OIDC_ISSUER is longer than {LONGEST_ISSUER} characters.", id="identity.E002")]
    return []


def _roles(text: str) -> list[Error]:
    try:
        config.mapping(text)
    except (ValueError, AttributeError) as error:
        return [Error(f"OVEN_OIDC_ROLES cannot be read: {error}.", id="identity.E003")]
    return []


@register()
def passkeys(**_: Any) -> list[Error]:
    """Browsers make passkeys for a name only, over https or on localhost."""
    if not settings.OVEN_PASSKEYS:
        return []
    scheme, host, _text = config.origin(settings.OVEN_PUBLIC_URL)
    local = host == "localhost" or host.endswith(".localhost")
    if not host:
        return [Error("OVEN_PUBLIC_URL is missing: passkeys (OVEN_PASSKEYS) belong to its host.", id="identity.E004")]
    if not (local or scheme == "https") or ":" in host or host.replace(".", "").isdigit():
        text = "OVEN_PUBLIC_URL must be https with a host name (or http://localhost): OVEN_PASSKEYS is on."
        return [Error(text, id="identity.E004")]
    return []
