"""Signing in: every attempt is a row, and too many are refused."""

from __future__ import annotations

import logging
import time
import unicodedata
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model, user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from oven.accounts import sessions, throttles
from oven.accounts.clients import LOCAL, client_of, named
from oven.accounts.models import How, Outcome, SignIn
from oven.accounts.throttles import Rule, Throttled

log = logging.getLogger(__name__)
PASSWORD, LINK = How.PASSWORD, How.LINK
KEPT = timedelta(days=365)
CLEARED_AT_ONCE = 50


def connect() -> None:
    user_logged_in.connect(_signed_in, dispatch_uid="oven-signed-in")
    user_login_failed.connect(_failed, dispatch_uid="oven-sign-in-failed")
    user_logged_out.connect(_signed_out, dispatch_uid="oven-signed-out")


def by(request: HttpRequest, how: How) -> None:
    """Says by which way the sign-in comes that is about to happen; passwords and links are known by their paths."""
    request.oven_how = how  # type: ignore[attr-defined]


def refused(request: HttpRequest, name: str = "") -> HttpResponse | None:
    """The answer to a password that is one too many, from this client or for this account; else None."""
    name = name or request.POST.get("username", "")
    names = {Rule.SIGN_INS: client_of(request)}
    if name:
        names[Rule.SIGN_IN_NAMES] = f"name:{counted(name)}"
    try:
        throttles.check(names)
    except Throttled as throttled:
        note(request, Outcome.THROTTLED, PASSWORD, name=name)
        return too_often(request, throttled)
    return None


def counted(name: str) -> str:
    """Return the name that attempts are counted by: one for all spellings by which the form finds the account."""
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def way_refused(request: HttpRequest, how: How = LINK, count: bool = False) -> HttpResponse | None:
    """The answer to a client who has tried too often by a way without a name; else None."""
    try:
        throttles.check({Rule.SIGN_INS: client_of(request)}, count=count)
    except Throttled as throttled:
        note(request, Outcome.THROTTLED, how)
        return too_often(request, throttled)
    return None


def way_failed(request: HttpRequest) -> None:
    """One more that led nowhere."""
    try:
        throttles.check({Rule.SIGN_INS: client_of(request)})
    except Throttled:
        log.debug("the next one will be refused")


def too_often(request: HttpRequest, throttled: Throttled) -> HttpResponse:
    response = render(request, "oven/too_often.html", {"seconds": throttled.retry_after_s}, status=429)
    response.headers["Retry-After"] = str(throttled.retry_after_s)
    return response


def note(request: HttpRequest | None, outcome: Outcome, how: str = "", user: Any = None, name: str = "") -> None:
    """One row; of those that are refused one after the other, one says it for all."""
    client = named(request.META.get("REMOTE_ADDR", "")) if request else LOCAL
    if outcome == Outcome.THROTTLED and _last_outcome(client) == outcome:
        return
    if user is None and name:
        user = get_user_model().objects.filter(username=name[:150]).first()
    SignIn.objects.create(
        user=user,
        name=user.get_username() if user else "",
        outcome=outcome,
        how=how,
        client=client,
        agent=_printable(request.headers.get("User-Agent", ""))[:200] if request else "",
    )
    log.info("sign-in: %s", outcome, extra={"how": how, "account": user.pk if user else None})
    old = SignIn.objects.filter(at__lt=timezone.now() - KEPT).order_by("id").values_list("pk", flat=True)
    SignIn.objects.filter(pk__in=list(old[:CLEARED_AT_ONCE])).delete()


def _last_outcome(client: str) -> str | None:
    return SignIn.objects.filter(client=client).order_by("-id").values_list("outcome", flat=True).first()


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())


def _signed_in(request: HttpRequest, user: Any, **_: Any) -> None:
    request.session[sessions.BEGAN] = request.session[sessions.USED] = time.time()
    path = request.path_info
    usual = PASSWORD if path.startswith("/admin/") else LINK if path else ""
    note(request, Outcome.SUCCESS, getattr(request, "oven_how", usual), user=user)


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    how = PASSWORD if "username" in credentials else LINK
    note(request, Outcome.FAILURE, how, name=str(credentials.get("username") or ""))


def _signed_out(request: HttpRequest, user: Any, **_: Any) -> None:
    if user is not None:
        note(request, Outcome.LOGOUT, user=user)
