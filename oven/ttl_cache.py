"""An answer that is good for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Calls `make` at most once in so many seconds in this process; whoever asks in between gets the last answer."""

    def __init__(self, make: Callable[[], T], for_s: float) -> None:
        self._make, self._for_s = make, for_s
        self._lock = threading.Lock()
        self._made_at = float("-inf")
        self._value: T | None = None

    def __call__(self) -> T:
        with self._lock:
            if time.monotonic() - self._made_at >= self._for_s:
                self._value = self._make()
                self._made_at = time.monotonic()
            return self._value  # type: ignore[return-value]

    def forget(self) -> None:
        self._made_at = float("-inf")
