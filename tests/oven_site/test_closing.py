"""A server that closes answers those who wait for a job: 503, and when to come again."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvicorn

from captures.models import Grab
from oven.http.limits import BoundedProtocol
from oven.jobs import await_job
from oven.jobs.states import State
from oven_site.asgi import application
from tests.support import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[uvicorn.Server, int]]:
    """The site on a real server, as the supervisor runs it."""
    monkeypatch.setattr(await_job, "_stopping", False, raising=False)
    monkeypatch.setattr(await_job, "LOOK_EVERY_S", 0.2)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, http=BoundedProtocol, lifespan="off", log_level="critical", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    yield server, listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)


def get(port: int, path: str) -> tuple[int, str | None, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    line.request("GET", path)
    answer = line.getresponse()
    return answer.status, answer.getheader("Retry-After"), answer.read()


def test_whoever_waits_for_a_job_is_told_to_come_again(server: tuple[uvicorn.Server, int], settings: Any) -> None:
    settings.OVEN_WAIT_S = settings.OVEN_BUNDLE_WAIT_S = 60.0
    closing, port = server
    with ThreadPoolExecutor() as pool:
        paths = ["/grab/png/64/64/orbit", "/icon/64x64/waves.png", "/bundle-html?piece=orbit&format=stream"]
        asked = [pool.submit(get, port, path) for path in paths]
        until(lambda: Grab.objects.filter(state=State.QUEUED).count() == 2, 20)
        time.sleep(0.5)  # the third one's stream has begun
        started = time.monotonic()
        closing.should_exit = True
        (grab, icon, stream) = (future.result() for future in asked)
        assert time.monotonic() - started < 4
    for status, retry, body in (grab, icon):
        assert (status, retry) == (503, "5")
        assert json.loads(body)["error"].startswith("Oven is being restarted; ")
    assert stream[0] == 200
    assert stream[2].decode().rstrip().split("\n\n")[-1].startswith("event: error\ndata: ")
    assert Grab.objects.filter(state=State.QUEUED).count() == 2  # they go on
