"""What tests of pieces and callers that want too much share: the memory that an Oven holds, and that it still works."""

from __future__ import annotations

import threading
from typing import Self

import psutil

from captures.engine.process import held
from tests.e2e.stack import Stack, picture


class Peak:
    """The most MB that all processes of an Oven held at once, while the block ran."""

    def __init__(self, stack: Stack) -> None:
        assert stack.process is not None
        self._root = psutil.Process(stack.process.pid)
        self.start = self.mb = self._now()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _now(self) -> int:
        return sum(held(process.pid) for process in self._root.children(recursive=True)) >> 20

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.mb = max(self.mb, self._now())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def next_is_good(stack: Stack, name: str) -> None:
    after = stack.get(f"/grab/webp/64/64/anim~{name}?duration=1000&fps=5")
    assert getattr(picture(after), "n_frames", 1) == 5
    assert stack.grab(after.headers["x-grab-id"])["attempt"] == 1
