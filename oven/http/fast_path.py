"""The short way to the contract's routes: callers without a session need no session, sign-in or form protection.

Django's own middlewares take two changes of thread each; all of them together cost more than a cached picture does.
What of them concerns every answer (hosts, HTTPS, protective headers) is asked here of themselves, without threads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.security import SecurityMiddleware
from django.urls import resolve

from oven.http import routes

Handler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class DirectMiddleware:
    """Stands where the sync middlewares begin, and goes around them where it can."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._security, self._common = SecurityMiddleware(get_response), CommonMiddleware(get_response)
        self._frames = XFrameOptionsMiddleware(get_response)
        self._direct = cast(Handler, convert_exception_to_response(self._go))
        self._view = cast(Handler, convert_exception_to_response(view_of))
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return await (self._direct if is_direct(request) else self.get_response)(request)

    async def _go(self, request: HttpRequest) -> HttpResponseBase:
        moved = self._security.process_request(request) or self._common.process_request(request)
        response: Any = moved or await self._view(request)
        self._frames.process_response(request, response)
        self._security.process_response(request, response)
        return self._common.process_response(request, response)


def is_direct(request: HttpRequest) -> bool:
    """Whether this is a route of the contract, and its caller has no session."""
    return settings.SESSION_COOKIE_NAME not in request.COOKIES and routes.table().is_contract(request.path_info)


async def view_of(request: HttpRequest) -> HttpResponseBase:
    """What the view answers that the path leads to. Raises Http404 and whatever the view raises."""
    match = request.resolver_match = resolve(request.path_info)
    view = match.func if iscoroutinefunction(match.func) else sync_to_async(match.func, thread_sensitive=True)
    response: HttpResponseBase = await view(request, *match.args, **match.kwargs)
    return response
