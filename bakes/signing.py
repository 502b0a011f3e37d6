"""Signatures of callbacks: one for each key while keys are rotated."""

from __future__ import annotations

from django.conf import settings

from oven.egress import signing


def keys() -> list[bytes]:
    """The signing keys, newest first: those configured, else one made of the shared secret, which the site knows."""
    configured = [signing.decoded(key, "OVEN_WEBHOOK_KEYS") for key in settings.OVEN_WEBHOOK_KEYS]
    return configured or [str(settings.OVEN_CALLBACK_SECRET).encode()]


def headers(message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers. While keys are rotated there is a signature of each: the receiver needs to know one."""
    return signing.headers(message_id, timestamp, body, keys())
