"""The proxy itself, spoken to as Chromium does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from oven.egress.proxy import LOOKUPS_AT_ONCE, Limits, Passage, Proxy

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Handler(BaseHTTPRequestHandler):
    """Says what it was asked; `/big` is a megabyte, `/slow` never ends, `/ws` speaks a websocket's first words."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, dict[str, str], bytes]]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, dict(self.headers), body))
        if self.path == "/ws":
            return self.upgrade()
        answer = bytes(1 << 20) if self.path == "/big" else b"hello"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Keep-Alive", "timeout=60")
        self.end_headers()
        self.wfile.write(answer)
        return None

    do_POST = do_GET

    def upgrade(self) -> None:
        digest = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + MAGIC).encode()).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.end_headers()
        self.wfile.write(self.rfile.read(4)[::-1])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class Server:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), type("Owned", (Handler,), {"asked": self.asked}))
        self.http.daemon_threads = True
        self.host = f"127.0.0.1:{self.http.server_port}"
        self.origin = f"http://{self.host}"


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def server(running: Server) -> Server:
    running.asked.clear()
    return running


@asynccontextmanager
async def passage(*trusted: str, **limits: int) -> AsyncIterator[Passage]:
    opened = await Proxy(trusted, Limits(**limits))()
    try:
        yield opened
    finally:
        opened.close()


async def connect(through: Passage) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(through.server.rpartition(":")[2]))


async def say(through: Passage, text: str) -> bytes:
    """Everything that comes back."""
    reader, writer = await connect(through)
    writer.write(text.encode())
    try:
        return await asyncio.wait_for(reader.read(-1), 10)
    except ConnectionResetError:
        return b"reset"
    finally:
        writer.close()


def get(server: Server, path: str = "/", more: str = "") -> str:
    return f"GET {server.origin}{path} HTTP/1.1\r\nHost: {server.host}\r\nProxy-Connection: keep-alive\r\n{more}\r\n"


async def test_a_request_is_passed_on_as_its_server_expects_it(server: Server) -> None:
    async with passage(server.origin) as through:
        answer = await say(through, get(server, "/a?b=c%20d&e", "Accept: text/html\r\n"))
    method, path, headers, _ = server.asked[0]
    assert (method, path, headers["Host"], headers["Accept"]) == ("GET", "/a?b=c%20d&e", server.host, "text/html")
    assert headers["Connection"] == "close" and "Proxy-Connection" not in headers
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"hello" and b"\r\nConnection: close" in head and b"Keep-Alive" not in head
    assert (through.requests, through.trouble, through.notes()["refused"]) == (1, None, [])


async def test_a_body_goes_along(server: Server) -> None:
    async with passage(server.origin) as through:
        text = f"POST {server.origin}/p HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: 5\r\n\r\nabcde"
        assert (await say(through, text)).endswith(b"hello")
    assert server.asked[0][3] == b"abcde"


async def test_a_tunnel_passes_bytes_both_ways(server: Server) -> None:
    async with passage(server.origin) as through:
        reader, writer = await connect(through)
        writer.write(f"CONNECT {server.host} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connected\r\n\r\n"
        for _ in range(2):
            writer.write(f"GET /in HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode())
            assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
        writer.close()
    assert [path for _, path, _, _ in server.asked] == ["/in", "/in"]


async def test_a_websocket_is_upgraded(server: Server) -> None:
    key = base64.b64encode(bytes(16)).decode()
    more = f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {key}\r\n"
    async with passage(server.origin) as through:
        reader, writer = await connect(through)
        writer.write(get(server, "/ws", more).encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        writer.write(b"abcd")
        assert await reader.read(-1) == b"dcba"
        writer.close()
    assert server.asked[0][2]["Connection"] == "Upgrade"


@pytest.mark.parametrize("tunnel", [False, True])
async def test_what_is_not_trusted_is_refused_and_noted(server: Server, tunnel: bool) -> None:
    text = f"CONNECT {server.host} HTTP/1.1\r\n\r\n" if tunnel else get(server)
    async with passage("http://127.0.0.1:1") as through:
        assert await say(through, text) == b""
    assert server.asked == []
    assert through.trouble is not None and through.trouble.refused
    assert through.notes()["refused"] == [
        f"its host is not on the open internet: {'https' if tunnel else 'http'}://{server.host}"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET ftp://a/ HTTP/1.1\r\n\r\n",
        "GET file:///etc/passwd HTTP/1.1\r\n\r\n",
        "GET http:///x HTTP/1.1\r\n\r\n",
        "GET http://a@{host}/ HTTP/1.1\r\n\r\n",
        "GET http://{host}:x/ HTTP/1.1\r\n\r\n",
        "CONNECT @{host} HTTP/1.1\r\n\r\n",
        "CONNECT / HTTP/1.1\r\n\r\n",
        "\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET http://ä/ HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_request_to_a_proxy_gets_nothing(server: Server, text: str) -> None:
    async with passage(server.origin) as through:
        assert await say(through, text.replace("{host}", server.host)) == b""
        assert await say(through, get(server)) != b""  # and the next is served
    assert len(server.asked) == 1


async def test_more_requests_than_allowed_are_refused(server: Server) -> None:
    async with passage(server.origin, requests=2) as through:
        answers = [await say(through, get(server)) for _ in range(4)]
    assert [bool(answer) for answer in answers] == [True, True, False, False]
    assert (len(server.asked), through.notes()["over"], through.notes()["refusals"]) == (2, "requests", 2)


async def test_more_bytes_than_allowed_are_cut(server: Server) -> None:
    async with passage(server.origin, bytes=300_000) as through:
        first = await say(through, get(server, "/big"))
        second = await say(through, get(server))
    assert len(first) < 300_000 and second == b""
    assert through.notes()["over"] == "bytes" and through.bytes < 500_000


async def test_a_dead_server_is_told_from_a_refusal() -> None:
    async with passage("http://127.0.0.1:1") as through:
        assert await say(through, "GET http://127.0.0.1:1/ HTTP/1.1\r\n\r\n") == b""
    assert through.trouble is not None
    assert (through.trouble.refused, through.trouble.message) == (False, "the connection was refused")


async def test_closing_ends_what_is_under_way(server: Server) -> None:
    async with passage(server.origin) as through:
        reader, writer = await connect(through)
        writer.write(f"CONNECT {server.host} HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        through.close()
        assert await asyncio.wait_for(reader.read(-1), 5) == b""
        with pytest.raises(OSError):
            await connect(through)
        writer.close()


async def test_slow_lookups_hold_up_neither_the_loop_nor_its_threads(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may name hosts whose resolver never answers, as many as it likes."""
    never = threading.Event()
    monkeypatch.setattr("oven.egress.policy._resolve", lambda host, port: never.wait(30) and [])
    monkeypatch.setattr("oven.egress.proxy.LOOKUP_S", 0.5)
    threads = threading.active_count()
    async with passage() as through:
        slow = [say(through, f"CONNECT slow{number}.example:443 HTTP/1.1\r\n\r\n") for number in range(100)]
        answers = asyncio.gather(*slow)
        await asyncio.sleep(0.2)
        assert threading.active_count() <= threads + LOOKUPS_AT_ONCE
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 1) == "free"
        assert set(await asyncio.wait_for(answers, 10)) == {b""}
        assert through.trouble is not None
        assert (through.trouble.refused, through.trouble.message) == (False, "its host was not resolved within 0.5 s")
    never.set()


async def test_a_page_may_name_so_many_hosts_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oven.egress.policy._resolve", lambda host, port: ["127.0.0.1"])
    monkeypatch.setattr("oven.egress.proxy.MAX_TARGETS", 3)
    async with passage() as through:
        for number in range(4):
            assert await say(through, f"CONNECT many{number}.example:443 HTTP/1.1\r\n\r\n") == b""
        assert through.trouble is not None
        assert through.trouble.message == "more than 3 hosts"
