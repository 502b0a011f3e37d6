"""What the library asks of the site: who gets an account, which one, with which rights. Its own pages are off."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.base.constants import AuthError
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from oven.accounts import login_attempts
from oven.accounts.login import config, responses, users
from oven.accounts.models import How


class Accounts(DefaultAccountAdapter):
    """Nobody signs up, nothing is mailed, no message is left for the next page; passkeys are no second step."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_stages(self) -> list[str]:
        return []

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        return None

    def send_mail(self, *args: Any, **kwargs: Any) -> None:
        return None

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        return None

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponseRedirect:
        return HttpResponseRedirect(kwargs.get("redirect_url") or reverse("live"))


class Identities(DefaultSocialAccountAdapter):
    """Those of the one configured provider."""

    def get_requests_session(self) -> Any:
        from oven.accounts.login.http_session import Session

        return Session()

    def list_apps(self, request: HttpRequest | None, provider: Any = None, client_id: Any = None) -> list[Any]:
        if not config.oidc_on():
            return []
        from oven.accounts.login.oidc import app

        return [app()]

    def get_provider(self, request: HttpRequest | None, provider: str, client_id: str | None = None) -> Any:
        from oven.accounts.login.oidc import Provider

        return Provider(request, app=self.get_app(request, provider))

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return True  # whoever has no role has been refused before

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Roles are those that the provider's groups mean at this moment; without one there is no entry."""
        user = sociallogin.user if sociallogin.is_existing else None
        role = users.role_of(sociallogin.claims)
        if user is not None:
            users.give(user, role)
        if role is None or (user is not None and not user.is_active):
            known = user.get_username() if user is not None else ""
            raise ImmediateHttpResponse(
                responses.not_let_in(request, How.OIDC, user, has_role=role is not None, name=known)
            )
        login_attempts.by(request, How.OIDC)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: Any) -> Any:
        return sociallogin.user  # `save_user` does it once there shall be an account

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> Any:
        """A new account, under a name that nobody has: never one that is there, whatever its e-mail address."""
        user, role = sociallogin.user, users.role_of(sociallogin.claims)
        assert role is not None
        users.describe(user, sociallogin.claims)
        with transaction.atomic():
            sociallogin.save(request)
            users.give(user, role)
        return user

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Whatever the library could not do is a page of ours, and a row."""
        if isinstance(exception, OAuth2Error):
            answer = responses.of_error(request, exception)
        elif error == AuthError.CANCELLED:
            answer = responses.cancelled(request)
        elif "state" not in (extra_context or {}):
            answer = responses.too_old(request)
        else:
            answer = responses.of_error(request, OAuth2Error("the provider answered with an error"))
        raise ImmediateHttpResponse(answer)


class Passkeys(DefaultMFAAdapter):
    """They belong to the host of `OVEN_PUBLIC_URL`, wherever a request came in."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": config.relying_party(), "name": "Oven"}

    def _get_user_identifier(self, user: Any) -> str:
        return str(user.get_username())
