"""The gallery of everything a site shows of its pieces. Each maker of pictures provides a section of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oven.jobs.models import Job


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture as it is served now."""

    key: str  # names it to the section's `refresh`
    title: str
    image: str  # where it lies; empty when there is none yet
    at: datetime | None  # when it was made
    detail: str = ""  # its size, say
    link: str = ""  # the address that sites use
    expires_at: datetime | None = None


Entries = Callable[[str, int, int], list[Entry]]
Refresh = Callable[[str, Any], "Job"]


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    label: str
    entries: Entries
    refresh: Refresh
    wide: bool


sections: dict[str, Section] = {}


def provide(name: str, entries: Entries, refresh: Refresh, label: str = "", wide: bool = False) -> None:
    """Adds a section.

    `entries(search, start, count)`: at most `count` of them, newest first. `refresh(key, user)` has one made anew and
    returns the job; it raises LookupError for an unknown key, QueueFull when there is no room. `wide`: cards.
    """
    sections[name] = Section(name, label or name.capitalize(), entries, refresh, wide)
