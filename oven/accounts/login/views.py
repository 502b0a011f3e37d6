"""To the identity provider and back; and in by a passkey. All of it is 404 unless it is configured."""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from oven.accounts import login_attempts
from oven.accounts.login import config
from oven.accounts.models import How

BACKEND = "django.contrib.auth.backends.ModelBackend"
BEGUN = "oven_passkey_begun"  # in the session: when a challenge was given out, seconds since the epoch
CHALLENGE_S = 300.0


def next_of(request: HttpRequest, asked: str) -> str:
    """Where to go after signing in: an address of our own, or the live page."""
    ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if ours else reverse("live")


@config.only_if(config.oidc_on)
@require_GET
@never_cache
def begin(request: HttpRequest) -> HttpResponseBase:
    """Counts as an attempt, as a password does. A GET, because browsers hold `form-action` against redirects."""
    from oven.accounts.login import oidc, responses
    from oven.accounts.login.http_session import Unreachable

    if refused := login_attempts.way_refused(request, How.OIDC, count=True):
        return refused
    try:
        return oidc.begin(request, next_of(request, request.GET.get("next", "")))
    except Unreachable as error:
        return responses.of_error(request, error)


@config.only_if(config.oidc_on)
@require_GET
@never_cache
def callback(request: HttpRequest) -> HttpResponseBase:
    from allauth.socialaccount.providers.oauth2.client import OAuth2Error

    from oven.accounts.login import oidc, responses

    if refused := login_attempts.way_refused(request, How.OIDC):
        return refused
    try:
        return oidc.complete(request)
    except OAuth2Error as error:  # of what is asked before the library looks for errors
        return responses.of_error(request, error)
    except IntegrityError:  # the same person, twice at the same moment: one of them has made the account
        return responses.too_old(request)


@config.only_if(config.passkeys_on)
@require_POST
@never_cache
def passkey_begin(request: HttpRequest) -> HttpResponseBase:
    """A challenge for any passkey of this site."""
    from allauth.mfa.webauthn.internal import auth

    if refused := login_attempts.way_refused(request, How.PASSKEY, count=True):
        return refused
    options = auth.begin_authentication()
    request.session[BEGUN] = time.time()
    return JsonResponse(options)


@config.only_if(config.passkeys_on)
@require_POST
@never_cache
def passkey(request: HttpRequest) -> HttpResponseBase:
    from oven.accounts.login import responses, users

    if refused := login_attempts.way_refused(request, How.PASSKEY):
        return refused
    known = _authenticator(request)
    if known is None:
        return responses.unknown_passkey(request)
    user = known.user
    if not (user.is_active and user.is_staff) or users.is_provided(user):
        return responses.not_let_in(request, How.PASSKEY, user, has_role=user.is_staff, name=user.get_username())
    known.record_usage()
    login_attempts.by(request, How.PASSKEY)
    login(request, user, BACKEND)
    return HttpResponseRedirect(next_of(request, request.POST.get("next", "")))


def _authenticator(request: HttpRequest) -> Any:
    """The passkey that has answered our challenge, for this site, with its user verified; else None."""
    from allauth.mfa.webauthn.forms import LoginWebAuthnForm

    began = request.session.pop(BEGUN, 0.0)
    given = request.POST.get("credential", "")
    if time.time() - began > CHALLENGE_S or not is_from_here(given):
        return None
    form = LoginWebAuthnForm(data={"credential": given})
    return form.cleaned_data["credential"] if form.is_valid() else None


def is_from_here(credential: str) -> bool:
    """Whether a browser made it on our own pages: the library would take it from any subdomain too."""
    from fido2.utils import websafe_decode

    try:
        said = json.loads(websafe_decode(json.loads(credential)["response"]["clientDataJSON"]))
        return bool(said["origin"] == config.origin(settings.OVEN_PUBLIC_URL).text)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
