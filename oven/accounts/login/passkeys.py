"""The page on which staff keep their own passkeys. Adding and removing needs a sign-in of the last ten minutes."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from oven.accounts import login_attempts, sessions
from oven.accounts.login import config, users
from oven.accounts.login.views import BEGUN, CHALLENGE_S, is_from_here
from oven.http.errors import error

CONFIRMED = "oven_confirmed"  # in the session: when the password was given once more, seconds since the epoch
FRESH_S = 600.0
MOST, LONGEST_NAME = 20, 60
NOT_FRESH = "Confirm that it is you first: your sign-in is older than ten minutes."


def is_fresh(request: HttpRequest) -> bool:
    latest = max(request.session.get(sessions.BEGAN, 0.0), request.session.get(CONFIRMED, 0.0))
    return bool(time.time() - latest < FRESH_S)


def mine(request: HttpRequest) -> Any:
    from allauth.mfa.models import Authenticator

    return Authenticator.objects.filter(user=request.user, type=Authenticator.Type.WEBAUTHN).order_by("created_at")


@require_GET
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, wrong: str = "", status: int = 200) -> HttpResponse:
    user: Any = request.user
    keys = list(mine(request))
    context = {
        **admin.site.each_context(request),
        "title": "Passkeys",
        "keys": keys,
        "wrong": wrong,
        "fresh": is_fresh(request),
        "provided": users.is_provided(request.user),
        "full": len(keys) >= MOST,
        "has_password": user.has_usable_password(),
    }
    return TemplateResponse(request, "oven/admin/passkeys.html", context, status=status)


@require_POST
@never_cache
def begin(request: HttpRequest) -> HttpResponse:
    """What the browser needs to make a passkey: JSON."""
    from allauth.mfa.webauthn.internal import auth

    if problem := _may_not(request):
        return error(403, problem)
    options = auth.begin_registration(request.user, passwordless=True)
    request.session[BEGUN] = time.time()
    return JsonResponse(options)


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    from allauth.mfa.webauthn.forms import AddWebAuthnForm
    from allauth.mfa.webauthn.internal.auth import WebAuthn

    if problem := _may_not(request):
        return _page(request, problem, 403)
    name = "".join(char for char in request.POST.get("name", "") if char.isprintable()).strip()[:LONGEST_NAME]
    if not name:
        return _page(request, "The passkey needs a name.", 400)
    given, began = request.POST.get("credential", ""), request.session.pop(BEGUN, 0.0)
    form = AddWebAuthnForm(data={"name": name, "credential": given, "passwordless": "on"}, user=request.user)
    if time.time() - began > CHALLENGE_S or not is_from_here(given) or not form.is_valid():
        return _page(request, "The passkey could not be verified. Try again.", 400)
    made = WebAuthn.add(request.user, name, form.cleaned_data["credential"]).instance
    _audit(request, made, ADDITION)
    return _back()


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(mine(request), pk=pk)
    if not is_fresh(request):
        return _page(request, NOT_FRESH, 403)
    _audit(request, found, DELETION)
    found.delete()
    return _back()


@require_POST
def confirm(request: HttpRequest) -> HttpResponse:
    """The password once more; too many wrong ones are refused as at the sign-in."""
    if refused := login_attempts.refused(request, request.user.get_username()):
        return refused
    if not request.user.check_password(request.POST.get("password", "")):
        return _page(request, "That is not your password.", 403)
    request.session[CONFIRMED] = time.time()
    return _back()


def _may_not(request: HttpRequest) -> str:
    """Why no passkey can be added now; empty when one can."""
    if users.is_provided(request.user):
        return "Your account is signed in by the identity provider: it has no passkeys here."
    if mine(request).count() >= MOST:
        return f"There are {MOST} passkeys already."
    return "" if is_fresh(request) else NOT_FRESH


def _audit(request: HttpRequest, key: Any, flag: int) -> None:
    LogEntry.objects.create(
        user=request.user,
        content_type=ContentType.objects.get_for_model(key),
        object_id=str(key.pk),
        object_repr=f"passkey {key}"[:200],
        action_flag=flag,
        change_message="",
    )


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("passkeys"))


def routed(view: Any) -> Any:
    """For staff only, and only where passkeys are on."""
    return config.only_if(config.passkeys_on)(admin.site.admin_view(view))
