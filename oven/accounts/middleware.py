"""Before any view: who pays for what the request asks for, how often it may write, and whether it was sent before.

It stands outside of the middleware of sessions: a cached picture that is asked for passes through here for the price
of one variable, and asks neither the queue nor the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from oven.accounts import idempotency, login_attempts, throttles
from oven.accounts.callers import ANONYMOUS, Caller, Refused, by_token
from oven.accounts.clients import client_of
from oven.accounts.sessions import SessionStore
from oven.accounts.throttles import Rule, Throttled
from oven.http import routes
from oven.http.errors import too_many

READS = ("GET", "HEAD", "OPTIONS")
LOGIN = "/admin/login/"
SECRET_IN_BODY = "/bake"  # its callers are known by what they know, wherever they are  # nosec B105


class AccessMiddleware:
    """Right within the contract's, whose errors and normal paths it uses."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if routes.table().is_page(request.path_info):
            return await self._page(request)
        before = throttles.pays(client_of(request))
        try:
            return await (self.get_response if request.method in READS else self._write)(request)
        finally:
            throttles.paid(before)

    async def _page(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST" and request.path_info.rstrip("/") == LOGIN.rstrip("/"):
            refused = await sync_to_async(login_attempts.refused)(request)
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
            owner = await _owner(request, caller)
            if owner:
                return await idempotency.answer(request, owner, self.get_response)
        return await self.get_response(request)


async def _known(request: HttpRequest) -> Caller:
    """By the token, if it is one. Whom the view will refuse is nobody to us: a made-up token has no throttle."""
    try:
        return await by_token(request) or ANONYMOUS
    except Refused:
        return ANONYMOUS


async def _owner(request: HttpRequest, caller: Caller) -> str:
    """Return whose an Idempotency-Key is; empty for anonymous callers, whose answers are not kept.

    What those may write changes nothing when it is sent twice, and each key would be a row for a day.
    """
    if caller.token_id:
        return caller.payer
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if session and await SessionStore().aexists(session):
        return f"session:{_digest(session)}"
    if request.path_info == SECRET_IN_BODY:
        return f"secret:{_secret(request)}"
    return ""


def _secret(request: HttpRequest) -> str:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return ""
    return _digest(str(body.get("callbackSecret")) if isinstance(body, dict) else "")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
