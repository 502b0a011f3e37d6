"""The limits of a connection, on a real server; and whose word about addresses is taken."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from oven.http import limits
from oven.http.limits import MOST_BODY, MOST_HEAD, BodyLimit, BoundedProtocol


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the length of the body, as Django does once it has all of it."""
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(length).encode()})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(limits, "HEAD_LIMIT_S", 0.5)
    monkeypatch.setattr(limits, "BODY_LIMIT_S", 1.5)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(BodyLimit(echo), http=BoundedProtocol, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)


def talk(port: int, *parts: bytes) -> bytes:
    """Sends, and reads until the server closes. Of what it has not read nothing may be left: that resets the line."""
    found = b""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as line:
        try:
            for part in parts:
                line.sendall(part)
            while data := line.recv(65_536):
                found += data
        except (ConnectionResetError, BrokenPipeError):
            pass
    return found


def get(*headers: bytes, path: bytes = b"/") -> bytes:
    return b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: x", b"Connection: close", *headers, b"", b""])


def test_an_ordinary_request_is_served(port: int) -> None:
    assert talk(port, get()).startswith(b"HTTP/1.1 200 ")
    assert talk(port, get(b"X-Long: " + b"x" * (MOST_HEAD - 200))).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("many", [1, 1000])
def test_a_head_that_is_too_long_is_431(port: int, many: int) -> None:
    size = MOST_HEAD // many + 1
    headers = [b"X-%d: %s" % (number, b"x" * size) for number in range(many)]
    assert talk(port, get(*headers)).startswith(b"HTTP/1.1 431 ")


def test_an_address_that_is_too_long_is_431(port: int) -> None:
    assert talk(port, get(path=b"/" + b"x" * MOST_HEAD)).startswith(b"HTTP/1.1 431 ")


def test_a_head_that_never_ends_is_431_before_much_of_it_is_read(port: int) -> None:
    start = b"GET / HTTP/1.1\r\nX: "
    assert talk(port, start, b"x" * (MOST_HEAD + 1 - len(start))).startswith(b"HTTP/1.1 431 ")


def test_a_head_that_comes_too_slowly_is_408(port: int) -> None:
    assert talk(port, b"GET / HTTP/1.1\r\nX-").startswith(b"HTTP/1.1 408 ")
    assert talk(port).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_takes_longer_than_a_head_may_is_served(port: int) -> None:
    import time

    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as line:
        line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\na")
        time.sleep(0.8)
        line.sendall(b"b")
        assert line.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_never_ends_is_408(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na"
    assert talk(port, head).startswith(b"HTTP/1.1 408 ")


def test_empty_lines_between_requests_keep_no_connection_open(port: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as line:
        line.sendall(head)
        answer = b""
        while not answer.endswith(b"0\r\n\r\n"):  # all of it, in however many pieces it comes
            part = line.recv(1000)
            assert part, answer
            answer += part
        assert answer.startswith(b"HTTP/1.1 200 ")
        line.sendall(b"\r\n")
        assert line.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_several_requests_on_one_connection_are_served(port: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\n"
    assert talk(port, (head + b"\r\n") * 3, head + b"Connection: close\r\n\r\n").count(b"HTTP/1.1 200 ") == 4


def test_a_body_of_unsaid_length_is_413_before_all_of_it_is_read(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    answer = talk(port, head, *[chunk] * (MOST_BODY // 65_536), b"1\r\nx\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"field": "body"' in answer


def test_a_body_of_a_said_length_is_413_too(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY + 1)
    assert talk(port, head, b"x" * (MOST_BODY + 1)).startswith(b"HTTP/1.1 413 ")


# --- proxies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "peer", "told", "client"),
    [
        ([], "127.0.0.1", "192.0.2.7", "127.0.0.1"),
        (["127.0.0.1"], "127.0.0.1", "192.0.2.7", "192.0.2.7"),
        (["127.0.0.1"], "198.51.100.1", "192.0.2.7", "198.51.100.1"),
        (["127.0.0.1"], "127.0.0.1", "10.9.9.9, 192.0.2.7", "192.0.2.7"),  # the client itself began the list
        (["127.0.0.1", "10.0.0.0/8"], "127.0.0.1", "192.0.2.7, 10.1.2.3", "192.0.2.7"),
    ],
)
async def test_only_a_trusted_proxy_is_believed(trusted: list[str], peer: str, told: str, client: str) -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)

    headers = [(b"x-forwarded-for", told.encode()), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "scheme": "http", "client": (peer, 1), "headers": headers}
    await ProxyHeadersMiddleware(app, trusted_hosts=trusted)(scope, None, None)  # type: ignore[arg-type]
    assert seen["client"][0] == client
    assert (seen["scheme"] == "https") is (client != peer)


def test_the_site_is_served_within_these_limits(settings: Any) -> None:
    from oven_site import asgi
    from supervisor import services

    settings.OVEN_TRUSTED_PROXIES = []
    assert asgi.behind_proxies(asgi.routes) is asgi.routes
    settings.OVEN_TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert isinstance(asgi.behind_proxies(asgi.routes), ProxyHeadersMiddleware)
    assert isinstance(asgi.routes.application_mapping["http"], BodyLimit)
    command = services._web(services.Options()).argv
    assert command[command.index("--http") + 1] == "oven.http.limits:BoundedProtocol"
    assert "--no-proxy-headers" in command
