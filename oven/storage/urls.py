"""Public addresses of stored files."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages


def public_url(store: str, key: str) -> str:
    """Where anybody can read it: the store's CDN or bucket, else this host."""
    base = {"art": settings.OVEN_ART_BASE_URL, "blobs": settings.OVEN_BLOBS_BASE_URL}[store]
    if base:
        return f"{base.rstrip('/')}/{quote(key)}"
    storage = storages[store]
    if not isinstance(storage, FileSystemStorage):
        return storage.url(key)
    return f"{settings.OVEN_PUBLIC_URL.rstrip('/')}/files/{store}/{quote(key)}"


def public_origin(store: str) -> str:
    """Scheme and host of a store's public addresses; empty when they are paths on this host."""
    parts = urlsplit(public_url(store, "any"))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def redirect_url(store: str, key: str) -> str:
    """The same for a redirect: a file on this host is named by its path, whatever name the host was called by."""
    return public_url(store, key).removeprefix(settings.OVEN_PUBLIC_URL.rstrip("/") or " ")
