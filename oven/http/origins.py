"""Which pages may open a websocket: browsers send the session of staff along with any page's, and name its origin."""

from __future__ import annotations

from typing import Any
from urllib.parse import ParseResult, urlparse

from channels.security.websocket import OriginValidator, WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

OPEN = "ws"  # the contract's socket, for any page, but without its session


class OwnOrigins:
    """Refuse (403) a websocket that another site's page opens. The contract's own is served without its cookies.

    Own are the host that was asked, `OVEN_PUBLIC_URL` and `CSRF_TRUSTED_ORIGINS`. A request without `Origin` passes:
    every browser sends one with a websocket, so it comes from a program, which no page can make use a cookie.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._matches = OriginValidator(inner, []).match_allowed_origin

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        origins = [value.decode("latin1") for name, value in scope["headers"] if name == b"origin"]
        if all(self._is_own(origin, scope) for origin in origins):
            return await self.inner(scope, receive, send)
        if scope["path"].strip("/") == OPEN:
            headers = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
            return await self.inner({**scope, "headers": headers}, receive, send)
        return await WebsocketDenier()(scope, receive, send)

    def _is_own(self, origin: str, scope: Any) -> bool:
        try:
            found = urlparse(origin.lower())
            return any(self._matches(found, pattern) for pattern in _trusted()) or _is_host(found, scope)
        except ValueError:  # a port that is none
            return False


def _trusted() -> list[str]:
    """Return origins with a scheme; `https://*.example.com` as the validator writes it."""
    return [
        pattern.replace("://*.", "://.")
        for pattern in (*settings.CSRF_TRUSTED_ORIGINS, settings.OVEN_PUBLIC_URL)
        if pattern
    ]


def _is_host(origin: ParseResult, scope: Any) -> bool:
    """Return whether an origin is the host that was asked. Where the site is HTTPS, `http` is not enough."""
    host = next((value.decode("latin1").lower() for name, value in scope["headers"] if name == b"host"), "")
    secure = scope.get("scheme") == "wss" or settings.SESSION_COOKIE_SECURE
    if origin.scheme != "https" and (secure or origin.scheme != "http"):
        return False
    return origin.netloc == host and validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)
