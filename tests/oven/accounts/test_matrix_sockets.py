"""Every socket for every kind of caller, from the routes: a new one without a row here fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.utils import timezone

from oven.accounts.models import ApiToken, Scope
from oven.events import permissions
from oven_site.asgi import routes
from tests.oven.events.sockets import cookie_of
from tests.support import awaited

pytestmark = pytest.mark.django_db(transaction=True)  # channels opens the database anew for every message
PEOPLE = ("outsider", "viewer", "operator", "administrator")
TOKENS: dict[str, list[str]] = {
    "token without a scope": [],
    "token with the scope": [Scope.WATCH],
    "token of another scope": [Scope.GRAB],
    "expired token": list(Scope.values),
}
CALLERS = {"anonymous", *PEOPLE, *TOKENS}
SOCKETS: dict[str, tuple[str, set[str]]] = {
    r"^ws/?$": ("/ws", CALLERS),
    r"^ws/live/?$": ("/ws/live", {"viewer", "operator", "administrator"}),  # by their session alone
    r"": ("/ws/other", set()),
}


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    """Rights that were looked up are those of another test's users."""
    permissions.forget()


def patterns() -> set[str]:
    app: Any = routes.application_mapping["websocket"]
    while not hasattr(app, "routes"):
        app = app.inner
    return {str(route.pattern) for route in app.routes}


def test_every_socket_has_a_row() -> None:
    assert patterns() == set(SOCKETS)


def bearer(name: str) -> list[tuple[bytes, bytes]]:
    token = ApiToken(name=name, scopes=TOKENS[name])
    if name.startswith("expired"):
        token.expires_at = timezone.now() - timedelta(seconds=1)
    secret = token.renew()
    token.save()
    return [(b"authorization", f"Bearer {secret}".encode())]


async def headers_of(who: str, people: Any) -> list[tuple[bytes, bytes]]:
    if who in TOKENS:
        return await sync_to_async(bearer)(who)
    return [(b"cookie", (await cookie_of(getattr(people, who))).encode())] if who in PEOPLE else []


@awaited
async def test_a_page_of_another_site_gets_no_live_socket(people: Any, valkey: Any) -> None:
    cookie = (await cookie_of(people.viewer)).encode()
    found = {}
    for path in ("/ws", "/ws/live"):
        for origin in (b"http://oven.example", b"https://evil.example"):
            headers = [(b"host", b"oven.example"), (b"cookie", cookie), (b"origin", origin)]
            socket = WebsocketCommunicator(routes, path, headers=headers)
            found[path, origin] = (await socket.connect(5))[0]
            await socket.disconnect()
    assert found == {(path, origin): path == "/ws" or b"evil" not in origin for path, origin in found}


@pytest.mark.parametrize("pattern", SOCKETS)
@awaited
async def test_every_socket_lets_in_whom_it_may(people: Any, valkey: Any, pattern: str) -> None:
    path, expected = SOCKETS[pattern]
    found = set()
    for who in CALLERS:
        socket = WebsocketCommunicator(routes, path, headers=await headers_of(who, people))
        if (await socket.connect(5))[0]:
            found.add(who)
            await socket.disconnect()
    assert found == expected
