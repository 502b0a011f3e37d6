"""Signatures of callbacks, as Standard Webhooks asks: HMAC-SHA256 over `id.timestamp.body`, one for each key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from django.conf import settings

PREFIX = "whsec_"


def keys() -> list[bytes]:
    """The signing keys, newest first: those configured, else one made of the shared secret, which the site knows."""
    configured = [_decoded(key) for key in settings.OVEN_WEBHOOK_KEYS]
    return configured or [str(settings.OVEN_CALLBACK_SECRET).encode()]


def headers(message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers. While keys are rotated there is a signature of each: the receiver needs to know one."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys()]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _decoded(key: str) -> bytes:
    try:
        return base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"OVEN_WEBHOOK_KEYS: a key is {PREFIX} and base64.") from None
