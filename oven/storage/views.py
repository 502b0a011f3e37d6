"""Serves the file system store: whole files and ranges, streamed."""

from __future__ import annotations

import mimetypes
import re
from email.utils import formatdate

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse

from oven.numbers import DIGITS
from oven.storage.stores import local_path, stream

STORES = ("art", "blobs")
TYPES = mimetypes.MimeTypes()
TYPES.add_type("image/webp", ".webp")  # Python 3.11 knows it only where the machine does


async def serve(request: HttpRequest, store: str, key: str) -> HttpResponseBase:
    """One file of a store that is a directory."""
    try:
        path = await sync_to_async(local_path)(store, key) if store in STORES else None
    except SuspiciousFileOperation:
        path = None
    if path is None:
        return JsonResponse({"error": "There is no such file."}, status=404)
    stat = path.stat()
    etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    headers = {
        "ETag": etag,
        "Last-Modified": formatdate(stat.st_mtime, usegmt=True),
        "Cache-Control": cache_control(store, key),
        "Accept-Ranges": "bytes",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if etag in request.headers.get("If-None-Match", ""):
        return StreamingHttpResponse(status=304, headers=headers)
    found = byte_range(request.headers.get("Range", ""), stat.st_size)
    if found is None:
        headers["Content-Range"] = f"bytes */{stat.st_size}"
        return JsonResponse({"error": "That range is outside of the file."}, status=416, headers=headers)
    start, end = found
    headers["Content-Length"] = str(end - start)
    partial = (start, end) != (0, stat.st_size)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{stat.st_size}"
    mime = TYPES.guess_type(path.name)[0] or "application/octet-stream"
    body = stream(store, key, start, end - start)
    return StreamingHttpResponse(body, content_type=mime, status=206 if partial else 200, headers=headers)


def cache_control(store: str, key: str) -> str:
    """A card that is made again keeps its key (its links name the version)."""
    card = store == "art" and key.startswith(settings.CARD_KEYS)
    return str(settings.CARD_CACHE_CONTROL if card else settings.STORE_CACHE_CONTROL[store])


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Return start and end (exclusive) of a single range; None when it is unsatisfiable.

    No range, several, and what is no range at all are the whole file.
    """
    found = re.fullmatch(rf"bytes=([0-9]{{0,{DIGITS}}})-([0-9]{{0,{DIGITS}}})", header.strip())
    if not found or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else None
    start, end = int(first), min(size, int(last) + 1) if last else size
    return (start, end) if start < end else None
