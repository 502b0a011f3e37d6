"""Sockets of a whole Oven: they outlive the queue, and take nothing from readers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.e2e.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("watchers") / "data", kinds=()) as running:
        yield running


@pytest.fixture(scope="module")
def staff(stack: Stack) -> Any:
    return stack.staff()


@contextlib.contextmanager
def watching(stack: Stack, staff: Any) -> Iterator[ClientConnection]:
    cookie = "; ".join(f"{name}={value}" for name, value in staff.cookies.items())
    url = stack.base.replace("http", "ws", 1) + "/ws/live"
    with connect(url, additional_headers={"Cookie": cookie}) as socket:
        assert json.loads(socket.recv(5))["type"] == "hello"
        yield socket


def read_until(socket: ClientConnection, wanted: Any, limit_s: float) -> dict[str, Any]:
    ends = time.monotonic() + limit_s
    while (left := ends - time.monotonic()) > 0:
        message: dict[str, Any] = json.loads(socket.recv(left))
        if wanted(message):
            return message
    raise TimeoutError


def start(staff: Any, piece: str) -> None:
    answer = staff.post("/live/start/grab", data={"piece": piece, "width": "64", "height": "64"})
    assert answer.status_code == 200, answer.text


def has_job(piece: str) -> Any:
    """A message that tells of a job whose id begins with its piece."""
    return lambda message: any(
        event.get("job", {}).get("id", "").startswith(f"{piece}-") for event in message.get("events", [])
    )


@pytest.mark.exhaustive("tests/browser/test_live_page.py drops the socket; tests/chaos kills the queue")
def test_a_page_is_told_to_start_anew_after_the_queue_was_killed(stack: Stack, staff: Any) -> None:
    with watching(stack, staff) as socket:
        start(staff, "before")
        read_until(socket, has_job("before"), 5)
        os.kill(stack.children("valkey")[0].pid, signal.SIGKILL)
        read_until(socket, lambda message: message["type"] == "hello", 8)  # what was missed is fetched
        start(staff, "after")
        read_until(socket, has_job("after"), 5)


def test_a_page_may_come_while_the_queue_is_away(stack: Stack, staff: Any) -> None:
    os.kill(stack.children("valkey")[0].pid, signal.SIGKILL)
    with watching(stack, staff) as socket:
        stack.until(lambda: stack.children("valkey"))
        start(staff, "early")
        read_until(socket, lambda message: message["type"] == "hello" or has_job("early")(message), 8)


def test_long_frames_close_the_socket(stack: Stack, staff: Any) -> None:
    with watching(stack, staff) as socket:
        socket.send("short")  # ignored
        socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed) as caught:
            read_until(socket, lambda message: False, 5)
        assert caught.value.rcvd and caught.value.rcvd.code == 1009
