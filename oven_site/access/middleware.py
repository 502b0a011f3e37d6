"""Before any view: who pays for what the request asks for, how often it may write, and whether it was sent before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseBase

from oven_site.access import idempotency, signins, throttles
from oven_site.access.callers import ANONYMOUS, Caller, Refused, caller_of
from oven_site.access.clients import client_of
from oven_site.access.throttles import Rule, Throttled
from oven_site.contract import is_page, too_many

READS = ("GET", "HEAD", "OPTIONS")
LOGIN = "/admin/login/"
SECRET_IN_BODY = "/bake"  # its callers are known by what they know, wherever they are


class AccessMiddleware:
    """Within the middleware of sessions and sign-ins, around the views."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_page(request.path_info):
            return await self._page(request)
        with throttles.paid_by(f"client:{client_of(request)}"):
            if request.method in READS:
                return await self.get_response(request)
            return await self._write(request)

    async def _page(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST" and request.path_info == LOGIN:
            refused = await sync_to_async(signins.refused)(request)
            if refused is not None:
                return refused
        return await self.get_response(request)

    async def _write(self, request: HttpRequest) -> HttpResponseBase:
        caller = await _known(request)
        try:
            await sync_to_async(throttles.charge)(Rule.WRITES)
        except Throttled as throttled:
            return too_many(throttled.message, throttled.retry_after_s)
        if request.method == "POST" and idempotency.HEADER in request.headers:
            return await idempotency.answer(request, _owner(request, caller), self.get_response)
        return await self.get_response(request)


async def _known(request: HttpRequest) -> Caller:
    """Whom the view will refuse is nobody to us: an unknown token must not have a throttle of its own."""
    try:
        return await caller_of(request)
    except Refused:
        return ANONYMOUS


def _owner(request: HttpRequest, caller: Caller) -> str:
    """Whose an Idempotency-Key is."""
    if caller.user is not None:
        return f"user:{caller.user.pk}"
    if caller.token_id:
        return f"token:{caller.token_id}"
    if request.path_info == SECRET_IN_BODY:
        return f"secret:{_secret(request)}"
    return f"client:{client_of(request)}"


def _secret(request: HttpRequest) -> str:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return ""
    secret = body.get("callbackSecret") if isinstance(body, dict) else ""
    return hashlib.sha256(str(secret).encode(errors="replace")).hexdigest()
