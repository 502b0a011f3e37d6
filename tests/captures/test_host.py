from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureSpec
from oven.jobs import lifecycle
from oven.jobs.context import Cancelled, JobContext

SPEC = CaptureSpec(url="http://piece.test/")


class SlowEngine:
    """Takes as long as it is told, and some time to close its page."""

    def __init__(self, options: Any = None) -> None:
        self.page_open = False
        self.opened, self.finish = threading.Event(), asyncio.Event()
        self.error: Exception | None = None

    async def capture(self, spec: Any, scratch: Any, report: Any) -> Any:
        self.page_open = True
        self.opened.set()
        try:
            await self.finish.wait()
            if self.error:
                raise self.error
            return "picture"
        finally:
            await asyncio.sleep(0.3)
            self.page_open = False

    async def close(self) -> None:
        """Nothing is kept open."""


@pytest.fixture
def host() -> Iterator[Any]:
    with EngineHost(make=SlowEngine) as host:  # type: ignore[arg-type]
        yield host


def finish(host: Any, error: Exception | None = None) -> None:
    host.engine.error = error
    host._loop.call_soon_threadsafe(host.engine.finish.set)


def test_a_capture_yields_its_result(host: Any, tmp_path: Path) -> None:
    future = host.capture(SPEC, tmp_path)
    finish(host)
    assert future.result(5) == "picture"
    assert future.cancel() is False


def test_a_capture_yields_its_error(host: Any, tmp_path: Path) -> None:
    future = host.capture(SPEC, tmp_path)
    finish(host, CaptureError(ErrorCode.CRASHED, "It crashed."))
    with pytest.raises(CaptureError, match="crashed"):
        future.result(5)


def test_a_cancelled_capture_is_over_when_its_page_is_closed(host: Any, tmp_path: Path) -> None:
    future = host.capture(SPEC, tmp_path)
    assert host.engine.opened.wait(5)
    assert future.cancel() is True
    assert not future.done()
    with pytest.raises(CancelledError):
        future.result(5)
    assert not host.engine.page_open


def test_a_job_is_not_confirmed_as_cancelled_before_its_page_is_closed(host: Any, tmp_path: Path, grab: Any) -> None:
    job = lifecycle.claim("grab", grab().pk, "a:1:1")
    assert job is not None
    execution = JobContext(job)
    future = host.capture(SPEC, tmp_path)
    assert host.engine.opened.wait(5)
    lifecycle.cancel(type(job)._default_manager.get())
    with pytest.raises(Cancelled):
        execution.wait(future)
    assert not host.engine.page_open
