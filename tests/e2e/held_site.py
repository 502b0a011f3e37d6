"""The test pieces on a site that a test can hold back: a piece that does not answer keeps its grab running."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from pieces.serve import first
from tests.piece_server import POLL_SECONDS, PieceServer, Query, TestPieceHandler


class HeldHandler(TestPieceHandler):
    owner: HeldSite

    def respond(self, path: str, query: Query) -> None:
        piece = path.lstrip("/")
        while self.owner.holds(piece):
            if not self.wanted():
                self.close_connection = True
                return
            time.sleep(POLL_SECONDS / 2)
        if self.owner.drops(piece):
            self.close_connection = True
        elif status := self.owner.answer_of(piece, first(query, "density", "")):
            self.fail(status)
        else:
            super().respond(path, query)


class HeldSite(PieceServer):
    """`anim~anything` is a piece of its own that looks like `anim`."""

    def __init__(self) -> None:
        self._held: dict[str, threading.Event] = {}
        self._answers: dict[str, tuple[int, str]] = {}
        self._drops: dict[str, int] = {}
        super().__init__(handler=HeldHandler)

    @contextlib.contextmanager
    def holding(self, prefix: str) -> Iterator[threading.Event]:
        """Pieces whose names start so get no answer until the event is set, or the block ends (at most 15 s)."""
        released = self._held[prefix] = threading.Event()
        try:
            yield released
        finally:
            released.set()
            del self._held[prefix]

    @contextlib.contextmanager
    def answering(self, piece: str, status: int, density: str = "") -> Iterator[None]:
        """This piece (in this density, if one is named) answers with an HTTP error meanwhile."""
        self._answers[piece] = status, density
        try:
            yield
        finally:
            del self._answers[piece]

    @contextlib.contextmanager
    def dropping(self, piece: str, times: int) -> Iterator[None]:
        """This piece's next page loads end without an answer."""
        self._drops[piece] = times
        try:
            yield
        finally:
            del self._drops[piece]

    def drops(self, piece: str) -> bool:
        left = self._drops.get(piece, 0)
        if left:
            self._drops[piece] = left - 1
        return left > 0

    def holds(self, piece: str) -> bool:
        return any(piece.startswith(prefix) and not gate.is_set() for prefix, gate in list(self._held.items()))

    def answer_of(self, piece: str, density: str) -> int:
        status, only = self._answers.get(piece, (0, ""))
        return status if only in ("", density) else 0
