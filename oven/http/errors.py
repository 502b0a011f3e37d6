"""Answers of the REST contract that are the same for every route: CORS headers and errors as JSON."""

from __future__ import annotations

import logging
import sys
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponseBase, JsonResponse

from oven.errors import Unavailable

log = logging.getLogger(__name__)
R = TypeVar("R", bound=HttpResponseBase)
MAX_BODY = 100 * 1024
DATABASE_RETRY_S = 5
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Authorization, Idempotency-Key",
    "Access-Control-Expose-Headers": (
        "X-Grab-Id, X-Grab-Duration, X-Grab-Warnings, X-Cache, X-Proxy, X-Oven-Status, X-Queue-Position, "
        "X-Estimated-Wait, X-OG-Layout, X-OG-Generated, X-OG-Featured, X-Backdrop-Piece, "
        "X-Screenshot-Preset, X-Screenshot-Dimensions, Retry-After, Idempotent-Replayed"
    ),
}

# Temporary conditions: 503 wherever they are raised, in a view, a middleware or the API.
PASSING = (OperationalError, InterfaceError, Unavailable)


def with_cors(response: R) -> R:
    for name, value in CORS.items():
        response.headers.setdefault(name, value)
    return response


def error(status: int, text: str, /, **more: Any) -> JsonResponse:
    """`more` becomes further keys, `message` among them."""
    return JsonResponse({"error": text, **more}, status=status)


def too_large() -> JsonResponse:
    return error(413, f"The body is larger than {MAX_BODY // 1024} kB.", field="body", limit=MAX_BODY)


def too_many(text: str, retry_after_s: int) -> JsonResponse:
    response = error(429, text)
    response.headers["Retry-After"] = str(retry_after_s)
    return response


def unavailable(request: HttpRequest, exc: Exception) -> JsonResponse:
    """Return 503 for one of PASSING: a database that is locked for too long, full or restarting."""
    if not isinstance(exc, Unavailable):
        log.error("the database failed on %s: %s", request.path, exc)
        exc = Unavailable("The database does not answer at the moment.", DATABASE_RETRY_S)
    response = error(503, exc.message)
    response.headers["Retry-After"] = str(exc.retry_after_s)
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django would log a traceback
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Unknown path or wrong method: the contract knows no 405."""
    return with_cors(error(404, f"There is no {request.method} {request.path}."))


def malformed(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """A host that is none, a form that cannot be read."""
    return with_cors(error(400, "The request is malformed."))


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer an exception of a view or a middleware; Django calls this while it handles it."""
    exc = sys.exception()
    if isinstance(exc, PASSING):
        return with_cors(unavailable(request, exc))
    return with_cors(error(500, "Oven failed.", message="The error has been logged."))
