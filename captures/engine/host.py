"""The engine for callers without an event loop: workers, commands, tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self, TypeVar

from captures.engine.chromium import BrowserOptions
from captures.engine.engine import Engine
from captures.engine.spec import CaptureResult, CaptureSpec, OnProgress

T = TypeVar("T")


class EngineHost:
    """An Engine on an event loop in a thread of its own. Use as a context manager, or `close` it."""

    def __init__(self, options: BrowserOptions | None = None, make: Callable[..., Engine] = Engine) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()
        self.engine = self._call(_built(make, options)).result()

    def capture(self, spec: CaptureSpec, scratch: Path, report: OnProgress = lambda _: None) -> Future[CaptureResult]:
        """Starts a capture; `report` is called on the engine's thread. Cancelling the future ends the page."""
        return self._call(self.engine.capture(spec, scratch, report))

    def warm_up(self) -> None:
        self._call(self.engine.warm_up()).result()

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
