"""The configured OpenID Connect provider, on top of the library's.

Beyond the library: the id_token's signature is always checked, a nonce is sent and checked, what `userinfo` says must
be about the same person, and all requests go through our door out.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from oven.accounts.login import config, tokens
from oven.accounts.login.http_session import Session, Unreachable

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
LONGEST_UID = 191
KEPT_S = 300.0
KEPT_CLAIMS = ("sub", "iss", "name", "email", "preferred_username")
_known: dict[str, tuple[float, dict[str, Any]]] = {}  # by issuer


def app() -> SocialApp:
    """The provider as the library wants it: from the settings, never from the database."""
    return SocialApp(
        provider=OpenIDConnectProvider.id,
        provider_id=config.issuer(),
        name=settings.OVEN_OIDC_NAME,
        client_id=settings.OVEN_OIDC_CLIENT_ID,
        secret=settings.OVEN_OIDC_CLIENT_SECRET,
        settings={"server_url": config.issuer()},
    )


def begin(request: HttpRequest, next_url: str) -> HttpResponseBase:
    """Leads to the provider. Raises Unreachable."""
    return Provider(request, app=app()).redirect(request, "login", next_url)  # type: ignore[no-any-return]


def complete(request: HttpRequest) -> HttpResponseBase:
    """What becomes of somebody who comes back from it."""
    answer: HttpResponseBase = OAuth2CallbackView.adapter_view(Adapter(request, config.issuer()))(request)
    return answer


def discovered(issuer: str) -> dict[str, Any]:
    """What the provider says of itself, asked every few minutes. Raises Unreachable."""
    read_at, found = _known.get(issuer, (0.0, {}))
    if not read_at or time.monotonic() - read_at > KEPT_S:
        found = _asked(issuer + config.DISCOVERY)
        if str(found.get("issuer", "")).rstrip("/") != issuer:
            raise Unreachable("It says that it is another issuer.")
        if any(not config.is_private_enough(str(found.get(name, ""))) for name in ENDPOINTS):
            raise Unreachable("It does not name all of its addresses, with https.")
        _known[issuer] = (time.monotonic(), found)
    return found


def _asked(url: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    response = Session().get(url, headers)
    response.raise_for_status()
    return response.json()


def nonce_of(code_verifier: str) -> str:
    """Known to who holds the verifier, which stays in the session until the provider asks for it."""
    return hashlib.sha256(f"nonce {code_verifier}".encode()).hexdigest()


class Adapter(OpenIDConnectOAuth2Adapter):
    """Talks with the provider."""

    nonce = ""

    @property
    def openid_config(self) -> dict[str, Any]:
        return discovered(self.provider_id)

    @property
    def basic_auth(self) -> bool:
        return bool(settings.OVEN_OIDC_CLIENT_SECRET) and super().basic_auth

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return config.origin(settings.OVEN_PUBLIC_URL).text + reverse("oidc-callback")

    def get_access_token_data(
        self, request: HttpRequest, app: SocialApp, client: Any, pkce_code_verifier: str | None = None
    ) -> dict[str, Any]:
        if not pkce_code_verifier:
            raise OAuth2Error("the session: no code verifier")
        self.nonce = nonce_of(pkce_code_verifier)
        found: dict[str, Any] = super().get_access_token_data(request, app, client, pkce_code_verifier)
        found.pop("expires_in", None)  # the access token is used at once, and not kept
        return found

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> SocialLogin:
        found = self.openid_config
        claims = tokens.verified(
            str(kwargs["response"].get("id_token", "")),
            _asked(found["jwks_uri"]),
            issuer=found["issuer"],
            client_id=app.client_id,
            nonce=self.nonce,
        )
        more = self._userinfo(found.get("userinfo_endpoint"), token.token)
        if more and more.get("sub") != claims["sub"]:
            raise OAuth2Error("the user info: about another person")
        return self.get_provider().sociallogin_from_response(request, {**more, **claims})

    def _userinfo(self, url: str | None, access_token: str) -> dict[str, Any]:
        return _asked(url, {"Authorization": f"Bearer {access_token}"}) if url else {}


class Provider(OpenIDConnectProvider):
    """Whom it knows, and what of that we take. An account is known by the issuer and its `sub`, by nothing else."""

    oauth2_adapter_class = Adapter

    def get_pkce_params(self) -> dict[str, str]:
        params: dict[str, str] = generate_code_challenge()
        return {**params, "nonce": nonce_of(params["code_verifier"])}

    def get_oauth2_adapter(self, request: HttpRequest) -> Adapter:
        return Adapter(request, config.issuer())

    def extract_uid(self, data: dict[str, Any]) -> str:
        """The subject, or what stands for a very long one: the column takes less than the standard."""
        subject = str(data["sub"])
        return subject if len(subject) <= LONGEST_UID else hashlib.sha256(subject.encode()).hexdigest()

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """What is kept of it."""
        return {name: data[name] for name in KEPT_CLAIMS if isinstance(data.get(name), str)}

    def extract_common_fields(self, data: dict[str, Any]) -> dict[str, Any]:
        return {}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[Any]:
        """None: the library would look for local accounts by them."""
        return []

    def sociallogin_from_response(self, request: HttpRequest, response: dict[str, Any]) -> SocialLogin:
        login: SocialLogin = super().sociallogin_from_response(request, response)
        login.claims = response
        return login
