"""What somebody sees who was not signed in; each of these is a row among the sign-ins, and a line in the log."""

from __future__ import annotations

import logging
from typing import Any

from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from oven.accounts import login_attempts
from oven.accounts.login.http_session import Unreachable
from oven.accounts.models import How, Outcome

log = logging.getLogger(__name__)
ASK = "An administrator can allow it with an egress exception for its address."


def of_error(request: HttpRequest, error: OAuth2Error) -> HttpResponse:
    """The provider gave no answer (502), or one that is not believed (403)."""
    name = settings.OVEN_OIDC_NAME
    if isinstance(error, Unreachable):
        said = " ".join([f"{name} did not answer as it should.", error.message, *([ASK] if error.refused else [])])
        return _failed(request, 502, f"{name} cannot be reached", said)
    log.warning("sign-in by OpenID Connect: %s", str(error)[:200])
    return _failed(request, 403, "You are not signed in", f"What {name} answered could not be verified.", quiet=True)


def cancelled(request: HttpRequest) -> HttpResponse:
    return _failed(request, 403, "You are not signed in", f"The sign-in was cancelled at {settings.OVEN_OIDC_NAME}.")


def too_old(request: HttpRequest) -> HttpResponse:
    said = "It was begun in another browser, is older than ten minutes, or has been used already. Begin again."
    return _failed(request, 400, "This sign-in can no longer be completed", said)


def unknown_passkey(request: HttpRequest) -> HttpResponse:
    said = "It may have been removed, or this page was open for too long. Try again, or sign in another way."
    return _failed(request, 403, "This passkey was not accepted", said, how=How.PASSKEY)


def not_let_in(request: HttpRequest, how: How, user: Any, *, has_role: bool, name: str = "") -> HttpResponse:
    """Somebody who is who they say, and may not come in all the same."""
    login_attempts.note(request, Outcome.REFUSED, how, user=user)
    login_attempts.way_failed(request)
    context = {"has_role": has_role, "name": name, "provider": settings.OVEN_OIDC_NAME if how == How.OIDC else ""}
    return render(request, "oven/not_let_in.html", context, status=403)


def _failed(
    request: HttpRequest, status: int, title: str, said: str, how: How = How.OIDC, quiet: bool = False
) -> HttpResponse:
    login_attempts.note(request, Outcome.FAILURE, how)
    login_attempts.way_failed(request)
    if not quiet:
        log.warning("sign-in: %s: %s", title, said)
    return render(request, "oven/not_signed_in.html", {"title": title, "said": said}, status=status)
