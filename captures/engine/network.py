"""Which requests of a page and of its workers are under way, and which of them a capture waits for.

The page's own time stands while a request is waited for, so a slow file costs the piece no time. A request that takes
too long is given up: the capture goes on without it, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from captures.engine.cdp import Session

MAX_URL = 500
MOST = 5000  # requests that are kept; a page that has more under way is ended for that
NAVIGATION = "Navigation"  # a document that the page itself goes to; the other kinds are Chromium's resource types
# Open for as long as the page or the server likes, or nothing that a picture depends on.
NEVER_WAITED_FOR = {NAVIGATION, "EventSource", "WebSocket", "Ping", "Prefetch", "CSPViolationReport"}
SCRIPTED = {"Fetch", "XHR"}
STREAMED = {*SCRIPTED, "Media"}  # not waited for after the head of their answer


@dataclass(slots=True)
class Request:
    """A request under way. `since` is a moment of the monotonic clock; `kind` is one of Chromium's resource types."""

    url: str
    kind: str
    since: float = field(default_factory=time.monotonic)
    answered: bool = False  # with its head; the rest is still to come
    given_up: bool = False


class Network:
    """The requests of one page.

    `limit_s` is how long the capture waits for any one of them, and for all together; `scripted_limit_s` how long for
    one that a script has sent and that has no answer yet, as a long poll.
    """

    def __init__(self, limit_s: float, scripted_limit_s: float) -> None:
        self.limit_s, self.scripted_limit_s = limit_s, scripted_limit_s
        self.given_up: list[Request] = []
        self.waited_s = 0.0
        self._open: dict[str, Request] = {}
        self._changed = asyncio.Event()
        self.navigations = 0  # of the page itself, after its first document
        self._first = ""  # the request of the page's own document
        self._frame: str | None = None

    def listen(self, session: Session) -> None:
        """Follow the requests of a page, a frame or a worker whose Network domain is enabled."""
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.responseReceived", self._answered)
        session.on("Network.loadingFinished", self._ended)
        session.on("Network.loadingFailed", self._ended)

    def worker_started(self, target: dict[str, Any]) -> None:
        """End the request for a worker's script: its end is reported nowhere once the worker has started."""
        for key, request in list(self._open.items()):
            if key == target["targetId"] or (request.url == target["url"][:MAX_URL] and request.kind != "Document"):
                del self._open[key]
        self._changed.set()

    def waited_for(self) -> list[Request]:
        """Return what the page's time stands still for, and give up what has taken too long."""
        return self._pending(self._holds_up)

    def navigates(self) -> bool:
        """Return whether the page is on its way to another document, and give that up when it has taken too long."""
        return bool(self._pending(lambda request: request.kind == NAVIGATION))

    def _pending(self, concerned: Callable[[Request], bool]) -> list[Request]:
        now, found = time.monotonic(), []
        for request in self._open.values():
            if request.given_up or not concerned(request):
                continue
            limit = self.scripted_limit_s if request.kind in SCRIPTED else self.limit_s
            if now - request.since < limit and self.waited_s < self.limit_s:
                found.append(request)
            else:
                request.given_up = True
                self.given_up.append(request)
        return found

    def left_open(self) -> bool:
        """Return whether something is open that is not waited for: Chromium would hold the clock for it as well."""
        self.waited_for()
        return any(request.given_up or request.kind in NEVER_WAITED_FOR for request in self._open.values())

    @staticmethod
    def _holds_up(request: Request) -> bool:
        """Return whether the capture waits. The end of an answer that nobody reads to its end is never reported."""
        return request.kind not in NEVER_WAITED_FOR and not (request.answered and request.kind in STREAMED)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as waited for requests."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.waited_s += time.monotonic() - started

    async def change(self, limit_s: float) -> None:
        """Return at the next begin or end of a request, or after the limit."""
        self._changed.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):  # `wait_for` of Python 3.11 can swallow a cancellation
                await self._changed.wait()

    def wake(self) -> None:
        """Make `change` return."""
        self._changed.set()

    def _sent(self, event: dict[str, Any]) -> None:
        url, kind = event["request"]["url"], event.get("type", "Other")
        if kind == "Document" and event["requestId"] != self._first and event.get("frameId") == self._frame:
            kind, self.navigations = NAVIGATION, self.navigations + 1
        if kind == "Document" and not self._first:
            self._first, self._frame = event["requestId"], event.get("frameId")
        if not url.startswith("data:") and len(self._open) < MOST:
            self._open[event["requestId"]] = Request(url[:MAX_URL], kind)
        self._changed.set()

    def _answered(self, event: dict[str, Any]) -> None:
        if request := self._open.get(event["requestId"]):
            request.answered = True
            self._changed.set()

    def _ended(self, event: dict[str, Any]) -> None:
        self._open.pop(event["requestId"], None)
        self._changed.set()
