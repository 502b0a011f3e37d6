from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from oven.egress import policy
from tests.oidc_provider import CLIENT, SECRET, Provider

HERE = "http://testserver"
ROLES = "oven-viewers=viewer,oven-operators=operator,oven-admins=administrator"


@pytest.fixture
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A configured one, whose address is let out as a row would let it (which other threads do not see in a test)."""
    with Provider() as found:
        settings.OVEN_OIDC_ISSUER, settings.OVEN_OIDC_NAME = found.url, "Example ID"
        settings.OVEN_OIDC_CLIENT_ID, settings.OVEN_OIDC_CLIENT_SECRET = CLIENT, SECRET
        settings.OVEN_OIDC_ROLES, settings.OVEN_PUBLIC_URL = ROLES, HERE
        monkeypatch.setattr(policy, "_exempt", lambda url: url.startswith(found.url))
        yield found


class Browser:
    """Follows a sign-in by hand, step by step."""

    def __init__(self, provider: Provider, **extra: Any) -> None:
        self.provider, self.client = provider, Client(**extra)

    def to_provider(self, next_url: str = "") -> dict[str, str]:
        """What the provider is asked."""
        from urllib.parse import parse_qsl, urlsplit

        answer = self.client.get("/sign-in/provider", {"next": next_url} if next_url else {})
        assert answer.status_code == 302, answer.content
        assert answer["Location"].startswith(f"{self.provider.url}/authorize?")
        return dict(parse_qsl(urlsplit(answer["Location"]).query))

    def back(self, url: str) -> Any:
        assert url.startswith(HERE)
        return self.client.get(url.removeprefix(HERE))

    def sign_in(self, next_url: str = "") -> Any:
        return self.back(self.provider.authorize(self.to_provider(next_url)))

    @property
    def user_id(self) -> str | None:
        return self.client.session.get("_auth_user_id")


@pytest.fixture
def browser(provider: Provider, people: Any, valkey: Any) -> Browser:
    return Browser(provider)
