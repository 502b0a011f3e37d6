"""Who is asking, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import timezone

from oven.accounts import throttles
from oven.accounts.models import ApiToken, Scope
from oven.accounts.roles import WATCH

USED_EVERY = timedelta(minutes=1)


class Refused(Exception):
    """Not signed in (401), or not allowed (403)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True, slots=True)
class Caller:
    """`user` is a signed-in member of staff (`permissions` are theirs), `scopes` are a token's."""

    user: Any = None
    permissions: frozenset[str] = field(default_factory=frozenset)
    token: str = ""
    token_id: int = 0
    scopes: frozenset[str] = field(default_factory=frozenset)

    @property
    def staff(self) -> bool:
        return self.user is not None

    @property
    def payer(self) -> str:
        """Who is charged for what is dear."""
        return f"token:{self.token_id}" if self.token_id else ""

    def may(self, scope: Scope) -> bool:
        return scope.permission in self.permissions or scope in self.scopes or open_writes()

    @property
    def watches(self) -> bool:
        """May see what the live page shows, and other systems' ids and addresses."""
        return WATCH in self.permissions

    def require(self, scope: Scope) -> None:
        """Raises Refused unless the caller may."""
        if self.may(scope):
            return
        if self.token:
            raise Refused(403, f"This token lacks the scope '{scope.value}'.")
        if self.staff:
            raise Refused(403, f"{self.user} lacks the permission '{scope.permission}'.")
        raise Refused(401, f"Sign in as staff, or send a bearer token with the scope '{scope.value}'.")


ANONYMOUS = Caller()


def open_writes() -> bool:
    """The original service let anybody in; a transition may ask for that, in production only twice."""
    return bool(settings.OVEN_OPEN_WRITES and (settings.DEBUG or settings.OVEN_OPEN_WRITES_CONFIRMED))


async def caller_of(request: HttpRequest) -> Caller:
    """Raises Refused for a bad token, and for a cross-site write that rides on a session. Found once a request."""
    known: Caller | None = getattr(request, "oven_caller", None)
    if known is None:
        known = await by_token(request) or await _by_session(request)
        request.oven_caller = known  # type: ignore[attr-defined]
    return known


async def by_token(request: HttpRequest) -> Caller | None:
    """Whose bearer token it is, who pays from now on; None without one. Raises Refused."""
    known: Caller | None = getattr(request, "oven_caller", None)
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if known is not None or header[:7].lower() != "bearer ":
        return known
    known = await sync_to_async(_with_secret)(header[7:].strip())
    request.oven_caller = known  # type: ignore[attr-defined]
    throttles.pays(known.payer)
    return known


async def _by_session(request: HttpRequest) -> Caller:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return ANONYMOUS
    user = await request.auser()
    if not (user.is_authenticated and user.is_staff):
        return ANONYMOUS
    if request.method not in ("GET", "HEAD", "OPTIONS") and _forged(request):
        raise Refused(403, "The CSRF token is missing or wrong.")
    throttles.pays("")
    return Caller(user=user, permissions=frozenset(await sync_to_async(user.get_all_permissions)()))


def _with_secret(secret: str) -> Caller:
    token = ApiToken.objects.with_secret(secret)
    if token is None or token.expired:
        raise Refused(401, "This token is unknown or has expired.")
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return Caller(token=token.name, token_id=token.pk, scopes=frozenset(token.scopes))


def _forged(request: HttpRequest) -> bool:
    request.csrf_processing_done = False  # type: ignore[attr-defined]
    check = CsrfViewMiddleware(lambda _: HttpResponse())
    check.process_request(request)
    try:
        return check.process_view(request, lambda *_: HttpResponse(), (), {}) is not None
    except (MultiPartParserError, SuspiciousOperation):  # a form that cannot be read has no token
        return True
