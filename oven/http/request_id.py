"""Around every HTTP request: its id, and how long it took."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from oven import logs
from oven.ops.metrics import counters

WELL_FORMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class RequestMiddleware:
    """The outermost one. The id is the answer's `X-Request-ID`, and is on every log line of the request."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        method = request.method if request.method in METHODS else "other"
        request_id = request_id_of(request)
        with logs.of_request(request, request_id):
            response = await self.get_response(request)
        response.headers["X-Request-ID"] = request_id
        route = route_of(request)
        counters.count("oven_http_requests", str(method), route, str(response.status_code))
        counters.observe("oven_http_request_seconds", time.perf_counter() - started, str(method), route)
        return response


def request_id_of(request: HttpRequest) -> str:
    """The caller's, if it is one that we trust and the id is well-formed; else a new one."""
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    if WELL_FORMED.fullmatch(given) and _trusted(request.META.get("REMOTE_ADDR", "")):
        return str(given)
    return str(uuid.uuid4())


def _trusted(address: str) -> bool:
    try:
        caller = ip_address(address)
        return any(caller in ip_network(network) for network in settings.OVEN_REQUEST_ID_FROM)
    except ValueError:  # a socket file has no address
        return False


def route_of(request: HttpRequest) -> str:
    """The route's template: never what a caller can make up."""
    match = request.resolver_match
    return f"/{match.route}" if match else "none"
