"""Closes what is dear to keep (a Node process of 140 MB) once nobody has needed it for a while."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

IDLE_S = 5.0  # to start it again takes a tenth of a second


class IdleClose:
    """`busy` marks a time of use; some time after the last one ended, `close` is called."""

    def __init__(self, close: Callable[[], None], idle_s: float = IDLE_S) -> None:
        self._close, self._idle_s = close, idle_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._users = 0

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                self._restart()

    def stop(self) -> None:
        with self._lock:
            self._cancel()

    def _restart(self) -> None:
        self._cancel()
        self._timer = threading.Timer(self._idle_s, self._close_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _close_if_idle(self) -> None:
        with self._lock:  # whoever wants to use it waits until it is closed
            if not self._users:
                self._close()
