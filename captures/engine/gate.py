"""What the engine needs of the way out: one passage a page, through which all its requests go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol


class Trouble(Protocol):
    """A request that did not get through: a sentence, and whether it was refused (or else failed)."""

    @property
    def message(self) -> str: ...

    @property
    def refused(self) -> bool: ...


class Passage(Protocol):
    """A proxy for one page alone. `server` is its address for Chromium, "http://127.0.0.1:port"."""

    @property
    def server(self) -> str: ...

    @property
    def trouble(self) -> Trouble | None:
        """The latest."""

    @property
    def refused(self) -> Sequence[str]:
        """What was refused, a sentence each; the first ones."""

    def notes(self) -> dict[str, object]:
        """What went through and what did not, for the evidence."""

    def close(self) -> None:
        """Ends every connection of the page."""


Gate = Callable[[], Awaitable[Passage]]

# For the browser itself, outside of any page: it reaches nothing, and resolves no name.
CLOSED = "http://127.0.0.1:1"
FLAGS = (
    f"--proxy-server={CLOSED}",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
EVERYTHING = "<-loopback>"  # a bypass list without Chromium's own exception for this machine
