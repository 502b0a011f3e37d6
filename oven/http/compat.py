"""Rules that hold for every route of the REST contract, whatever serves it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from asgiref.sync import markcoroutinefunction
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from oven.errors import BadRequest
from oven.http import routes
from oven.http.errors import MAX_BODY, not_found, too_large, with_cors
from oven.numbers import whole


class ContractMiddleware:
    """CORS and OPTIONS everywhere; paths in any case and with a trailing slash; errors as JSON; HEAD as GET."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if routes.table().is_page(request.path_info):
            return await self.get_response(request)
        response: HttpResponseBase | None = _early_answer(request)
        if response is None:
            _normalise(request)
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


def _early_answer(request: HttpRequest) -> HttpResponse | None:
    if request.method == "OPTIONS":
        return HttpResponse("OK", content_type="text/plain")
    if (whole(request.META.get("CONTENT_LENGTH") or "") or 0) > MAX_BODY:
        return too_large()
    return None


def _normalise(request: HttpRequest) -> None:
    path = routes.table().lowered(request.path_info)
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
