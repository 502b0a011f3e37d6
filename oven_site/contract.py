"""Rules that hold for every route of the REST contract, whatever serves it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import unquote

from asgiref.sync import markcoroutinefunction
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from oven_site.numbers import whole

log = logging.getLogger(__name__)
R = TypeVar("R", bound=HttpResponseBase)
MAX_BODY = 100 * 1024
DATABASE_RETRY_S = 5
PAGES = ("admin", "sign-in", "static", "live", "gallery")  # ordinary Django behaviour; but /live itself is a probe
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
# First segments of the contract, answered in any case.
SEGMENTS = {
    *("health", "status", "grab", "grab-status", "grab-cleanup", "grab-clear", "api", "docs", "files"),
    *("icon", "preview", "app-screenshots"),
    *("bake", "bake-status", "bake-complete", "bake-incoming"),
    *("grab-ipfs", "keeps", "ipfs"),
    *("bundle-html", "pack-html", "bundle-prewarm", "bundle-status", "bundles"),
    *("live", "ready", "pressure", "metrics"),
    *("kidlisp-og", "kidlisp-og.png", "og-preview", "notepat-og.png", "kidlisp-backdrop", "kidlisp-backdrop.webp"),
}


class BadRequest(ValueError):
    """One field is wrong: its name, a sentence, and what would be right."""

    def __init__(self, field: str, message: str, valid: object = None) -> None:
        super().__init__(message)
        self.field, self.message, self.valid = field, message, valid


class Unavailable(Exception):
    """What was asked for cannot be done at the moment: 503, with the seconds after which to ask again."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.message, self.retry_after_s = message, retry_after_s


# Temporary conditions: 503 wherever they are raised, in a view, a middleware or the API.
PASSING = (OperationalError, InterfaceError, Unavailable)


class ContractMiddleware:
    """CORS and OPTIONS everywhere; paths in any case and with a trailing slash; errors as JSON; HEAD as GET."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_page(request.path_info):
            return await self.get_response(request)
        first = request.path_info.strip("/").lower().split("/")[0]
        response: HttpResponseBase | None = _early_answer(request)
        if response is None:
            _normalise(request, first)
            response = await self._answer(request)
        return with_cors(response)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response = await self.get_response(request)
        except RequestDataTooBig:
            return too_large()
        if response.status_code == 405:
            return not_found(request)
        return response


def is_page(path: str) -> bool:
    """Pages for people, whom none of the contract's rules concern."""
    first, *rest = path.strip("/").lower().split("/")
    return first in PAGES and bool(rest or first != "live")


def _early_answer(request: HttpRequest) -> HttpResponse | None:
    if request.method == "OPTIONS":
        return HttpResponse("OK", content_type="text/plain")
    if (whole(request.META.get("CONTENT_LENGTH") or "") or 0) > MAX_BODY:
        return too_large()
    return None


def _normalise(request: HttpRequest, first: str) -> None:
    parts = request.path_info.split("/")
    if first in SEGMENTS:
        names = slice(1, 3 if first in ("api", "keeps") else 2)  # the rest may be a piece's name, whose case counts
        parts[names] = [part.lower() for part in parts[names]]
    path = "/".join(parts)
    if len(path) > 1:
        path = path.rstrip("/") or "/"
    request.path_info = request.path = path
    if request.method == "HEAD":  # the server leaves the body out
        request.method = "GET"


def json_body(request: HttpRequest) -> dict[str, Any]:
    """The JSON object of a body; empty for any other type. Raises BadRequest when it is malformed."""
    if len(request.body) > MAX_BODY:  # of a length that was not said
        raise RequestDataTooBig
    if request.content_type != "application/json" or not request.body:
        return {}
    try:
        body = json.loads(request.body)
    except ValueError:
        raise BadRequest("body", "body: this is not valid JSON.") from None
    except RecursionError:
        raise BadRequest("body", "body: it is nested too deeply.") from None
    if not isinstance(body, dict):
        raise BadRequest("body", "body: a JSON object is needed.")
    return body


def raw_segments(request: HttpRequest) -> int | None:
    """Segments of the path as it was sent: a piece is one of them, its own slashes are sent as %2F."""
    raw = getattr(request, "scope", {}).get("raw_path")
    if not raw:
        return None
    path: str = raw.split(b"?")[0].decode("latin-1")
    return len([part for part in path.strip("/").split("/") if unquote(part)])


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
