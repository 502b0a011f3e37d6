"""The engine for callers without an event loop: workers, commands, tests."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import uvloop

from captures.engine.chromium import BrowserOptions
from captures.engine.engine import Engine
from captures.engine.spec import CaptureResult, CaptureSpec, OnProgress

T = TypeVar("T")


class Work(Future[T]):
    """A coroutine on another thread's loop. `cancel` only asks: the future is done once the work has really ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        super().__init__()
        self._loop = loop
        self._task: asyncio.Task[T] | None = None
        loop.call_soon_threadsafe(self._start, coroutine)

    def cancel(self) -> bool:
        if self.done():
            return False
        self._loop.call_soon_threadsafe(self._cancel)
        return True

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._task = self._loop.create_task(coroutine)
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        assert self._task is not None
        self._task.cancel()

    def _end(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            super().cancel()
            self.set_running_or_notify_cancel()
        elif error := task.exception():
            self.set_exception(error)
        else:
            self.set_result(task.result())


@dataclass(frozen=True, slots=True)
class BrowserFacts:
    """The engine's browser: process id and age in seconds (None while there is none), how many went before it.

    `broken`: it could not be started the last time.
    """

    pid: int | None
    age_s: float | None
    restarts: int
    sandboxed: bool
    broken: bool = False


class EngineHost:
    """An Engine on an event loop in a thread of its own. Use as a context manager, or `close` it."""

    def __init__(self, options: BrowserOptions | None = None, make: Callable[..., Engine] = Engine) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()
        self.engine = self._call(_built(make, options)).result()

    def capture(self, spec: CaptureSpec, scratch: Path, report: OnProgress = lambda _: None) -> Future[CaptureResult]:
        """Starts a capture; `report` is called on the engine's thread. Cancelling the future ends the page."""
        work: Work[CaptureResult] = Work(self._loop, self.engine.capture(spec, scratch, report))
        return work

    def warm_up(self) -> None:
        self._call(self.engine.warm_up()).result()

    def facts(self) -> BrowserFacts:
        """From any thread."""
        engine, browser = self.engine, self.engine.browser
        pid, age_s = (None, None) if browser is None else (browser.pid, time.monotonic() - browser.started)
        return BrowserFacts(pid, age_s, engine.restarts, engine.options.sandboxed, engine.broken)

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._call(self.engine.close()).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


async def _built(make: Callable[..., Engine], options: BrowserOptions | None) -> Engine:
    return make(options)
