"""Which pages may open which websocket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from channels.testing import WebsocketCommunicator
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from oven.http.origins import OwnOrigins
from oven_site.asgi import routes

FOREIGN = (
    "https://evil.example",
    "null",
    "https://oven.example.evil.example",
    "https://oven.example:99999",
    "file://",
)


seen: list[Any] = []  # scopes


async def accepting(scope: Any, receive: Any, send: Any) -> None:
    seen.append(scope)
    await receive()
    await send({"type": "websocket.accept"})


def accepted(
    path: str, origin: str | None, *, cookie: str = "", host: str = "oven.example", scheme: str = "ws"
) -> bool:
    async def ask() -> bool:
        headers = [(b"host", host.encode())]
        headers += [(b"origin", origin.encode())] if origin is not None else []
        headers += [(b"cookie", cookie.encode())] if cookie else []
        socket = WebsocketCommunicator(OwnOrigins(accepting), path, headers=headers)
        socket.scope["scheme"] = scheme
        return bool((await socket.connect(5))[0])

    return asyncio.run(ask())


@pytest.mark.parametrize("origin", FOREIGN)
def test_another_sites_page_does_not_get_the_live_socket(origin: str) -> None:
    for path in ("/ws/live", "/ws/live/"):
        for cookie in ("", "sessionid=a"):
            assert not accepted(path, origin, cookie=cookie)


@pytest.mark.parametrize("origin", FOREIGN)
def test_another_sites_page_gets_the_contracts_socket_without_its_cookies(origin: str) -> None:
    for path in ("/ws", "/ws/"):
        assert accepted(path, origin)
        assert accepted(path, origin, cookie="sessionid=a")
        assert seen[-1]["headers"] == [(b"host", b"oven.example"), (b"origin", origin.encode())]
    assert accepted("/ws", "http://oven.example", cookie="sessionid=a")
    assert (b"cookie", b"sessionid=a") in seen[-1]["headers"]


@pytest.mark.parametrize("path", ["/ws", "/ws/live"])
def test_our_own_pages_and_programs_get_both(path: str) -> None:
    for origin in ("http://oven.example", "https://oven.example", None):
        assert accepted(path, origin, cookie="sessionid=a")
    assert accepted(path, "http://localhost:3002", cookie="sessionid=a", host="localhost:3002")
    pieces = accepted(path, "http://localhost:3003", cookie="sessionid=a", host="localhost:3002")
    assert pieces == (path == "/ws")


def test_the_public_address_and_trusted_origins_are_ours(settings: Any) -> None:
    settings.OVEN_PUBLIC_URL = "https://public.example/"
    settings.CSRF_TRUSTED_ORIGINS = ["https://one.example:8443", "https://*.two.example"]
    good = [
        "https://public.example",
        "https://PUBLIC.example:443",
        "https://one.example:8443",
        "https://a.two.example",
    ]
    bad = ["http://public.example", "https://one.example", "https://a.three.example", "http://a.two.example"]
    found = {origin for origin in good + bad if accepted("/ws/live", origin, host="inside:3002")}
    assert found == set(good)


def test_where_the_site_is_https_a_plain_page_of_its_host_is_not_ours(settings: Any) -> None:
    assert not accepted("/ws/live", "http://oven.example", scheme="wss")
    settings.SESSION_COOKIE_SECURE = True
    assert not accepted("/ws/live", "http://oven.example")


def test_a_host_that_is_not_allowed_is_not_ours(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["oven.example"]
    assert accepted("/ws/live", "http://oven.example")
    assert not accepted("/ws/live", "http://other.example", host="other.example")


@pytest.fixture
def port() -> Iterator[int]:
    config = uvicorn.Config(routes.application_mapping["websocket"], port=0, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(10)


def test_the_site_refuses_with_403_before_it_accepts(port: int) -> None:
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://127.0.0.1:{port}/ws/live", origin="https://evil.example")  # type: ignore[arg-type]
    assert caught.value.response.status_code == 403
