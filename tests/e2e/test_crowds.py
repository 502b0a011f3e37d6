"""Callers that come in crowds, go away in mid-request, or do not read: Oven holds no more memory, and the next is good."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from tests.e2e.bounds import Peak, next_is_good
from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack


@pytest.fixture(scope="module")
def stack(site: HeldSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("crowded") / "data"
    with Stack(data, site.origin, workers=1, kinds=("capture", "bundle")) as running:
        yield running


@pytest.fixture(scope="module")
def staff(stack: Stack) -> httpx.Client:
    return stack.staff()


class Web:
    """The web process: the memory it holds, and its callers' connections."""

    def __init__(self, stack: Stack) -> None:
        self.process = stack.children("uvicorn")[0]

    @property
    def mb(self) -> float:
        return self.process.memory_info().rss / (1 << 20)

    @property
    def callers(self) -> int:
        """Connections in whatever state, those that wait to be closed included."""
        return sum(link.status != psutil.CONN_LISTEN for link in self.process.net_connections("tcp"))


@pytest.fixture(scope="module")
def web(stack: Stack) -> Web:
    return Web(stack)


async def ask_at_once(base: str, paths: list[str]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=base, timeout=60, limits=limits) as client:
        return list(await asyncio.gather(*(client.get(path) for path in paths)))


def storm(stack: Stack, staff: httpx.Client, name: str, count: int) -> list[httpx.Response]:
    """So many grabs asked for at once, and all of them cancelled at once; what their callers were told."""
    paths = [f"/grab/png/64/64/anim~{name}{n}" for n in range(count)]
    asked = stack.threads.submit(asyncio.run, ask_at_once(stack.base, paths))
    rows = f"select public_id, state from captures_grab where piece like 'anim~{name}%'"
    stack.until(lambda: len(stack.rows(rows)) == count, 30)
    with ThreadPoolExecutor(16) as threads:
        cancels = threads.map(lambda row: staff.post(f"/live/job/{row['public_id']}/cancel"), stack.rows(rows))
        assert {answer.status_code for answer in cancels} == {200}
    return list(asked.result(30))


@pytest.mark.exhaustive("tests/oven/events and tests/oven/accounts have the bounds of the web process")
def test_hundreds_that_are_cancelled_at_once_leave_nothing(
    stack: Stack, site: HeldSite, staff: httpx.Client, web: Web
) -> None:
    count = 100
    with site.holding("anim~storm"):
        storm(stack, staff, "storm-first", count)
        before = web.mb
        answers = storm(stack, staff, "storm-then", count)
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(500, "cancelled")}
    rows = stack.rows("select state from captures_grab where piece like 'anim~storm%'")
    assert [row["state"] for row in rows] == ["cancelled"] * (2 * count)
    print(f"web: {before:.0f} MB after the first storm, {web.mb:.0f} MB after the second")
    assert web.mb - before < 15
    next_is_good(stack, "after-storm")


def leave(port: int, number: int) -> None:
    """Asks for something and goes, each in another manner: in mid-request, politely, or by a reset."""
    asks = b"GET /grab/png/64/64/anim~gone HTTP/1.1\r\nHost: oven\r\n"
    waits = b"GET /bundle-html?piece=orbit&format=stream HTTP/1.1\r\nHost: oven\r\n\r\n"
    posts = b"POST /grab HTTP/1.1\r\nHost: oven\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall((asks, asks + b"\r\n", waits, posts)[number % 4])
        time.sleep(0.05 * (number % 5))
        if number % 3 == 0:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.exhaustive("tests/oven/events and tests/oven/accounts have the bounds of the web process")
def test_callers_that_go_away_in_mid_request_leave_nothing(stack: Stack, site: HeldSite, web: Web) -> None:
    with site.holding("anim~gone"):
        with ThreadPoolExecutor(20) as threads:
            list(threads.map(lambda number: leave(stack.port, number), range(40)))
        stack.until(lambda: stack.rows("select id from captures_grab where piece = 'anim~gone'"), 10)
        time.sleep(0.5)
        before, callers = web.mb, web.callers
        with ThreadPoolExecutor(40) as threads:
            list(threads.map(lambda number: leave(stack.port, number), range(200)))
        stack.until(lambda: web.callers <= callers + 2, 10)
        print(f"web: {before:.0f} MB, {callers} connections before; {web.mb:.0f} MB, {web.callers} after")
        assert web.mb - before < 15
    rows = "select state from captures_grab where piece = 'anim~gone'"
    stack.until(lambda: [row["state"] for row in stack.rows(rows)] == ["complete"], 20)  # one, made all the same
    next_is_good(stack, "after-gone")


def slow_reader(port: int, request: bytes) -> socket.socket:
    """Reads the head of the answer, and then nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect(("127.0.0.1", port))
    client.sendall(request)
    assert client.recv(12).startswith(b"HTTP/1.1 ")
    return client


UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: oven\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
STREAM = b"GET /bundle-html?piece=orbit&format=stream HTTP/1.1\r\nHost: oven\r\n\r\n"
TALK = """
import time
from oven.events import events, publisher
for number in range(2000):
    events.log("info", f"{number} " + "x" * 2000)
    if number % 200 == 0:
        publisher.flush()
publisher.flush()
"""


@pytest.mark.exhaustive("tests/oven/events/test_hub.py has readers that do not read")
def test_readers_that_do_not_read_cost_nothing_and_hold_up_nobody(stack: Stack, web: Web) -> None:
    assert stack.get("/bundle-html?piece=orbit").status_code == 200
    before, callers = web.mb, web.callers
    readers = [slow_reader(stack.port, request) for request in (UPGRADE, STREAM) for _ in range(40)]
    try:
        with Peak(stack) as peak:
            stack.manage("shell", "-c", TALK)  # 4 MB, for each of them
            assert stack.get("/grab-status").elapsed.total_seconds() < 2
            next_is_good(stack, "beside-slow-readers")
        print(f"web: {before:.0f} MB before, {web.mb:.0f} MB with 80 readers; all: {peak.start} MB, {peak.mb} MB")
        assert web.mb - before < 40
    finally:
        for reader in readers:
            reader.close()
    stack.until(lambda: web.callers <= callers + 2, 25)


@pytest.mark.exhaustive("tests/oven/events and tests/oven/accounts have the bounds of the web process")
def test_no_worker_is_stuck(stack: Stack) -> None:
    stack.until(lambda: stack.status()["concurrency"] == {"active": 0, "max": 1, "queueDepth": 0}, 20)
    assert "does not stop" not in stack.log and "starting it again" not in stack.log
