"""What a card is made of: the pieces it shows, and how these are to be captured."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every process knows the layouts, only a few draw
    from PIL import Image

SIZE = (1200, 630)  # pixels of every composed card


class Layout(StrEnum):
    """The backdrop is a capture as it is; the others are composed."""

    MOSAIC = "mosaic"
    FEATURED = "featured"
    FILMSTRIP = "filmstrip"
    CODE_SPLIT = "code-split"
    NOTEPAT = "notepat"
    BACKDROP = "backdrop"


@dataclass(frozen=True, slots=True)
class Piece:
    """One entry of the site's list. `code` is without its `$`, `handle` with its `@` (or empty)."""

    code: str
    hits: int = 0
    source: str = ""
    handle: str = ""

    @property
    def name(self) -> str:
        """As it is captured."""
        return f"${self.code}"

    @property
    def plays(self) -> str:
        return f"{short_count(self.hits)} play{'s' * (self.hits != 1)}"

    @property
    def byline(self) -> str:
        """Code, plays and handle in one line."""
        return " · ".join(part for part in (self.name, self.plays, self.handle) if part)


@dataclass(frozen=True, slots=True)
class Shot:
    """How a piece is captured: CSS pixels, art pixels for each, and moments of its own time once it is ready.

    `frames` pictures, the first at `at_ms` (None: as soon as any capture would) and then one every `every_ms`.
    """

    width: int
    height: int
    density: float = 1.0
    at_ms: int | None = None
    frames: int = 1
    every_ms: float = 0.0
    quality: int = 95


@dataclass(slots=True)
class Shown:
    """A piece with its captured frames, in order."""

    piece: Piece
    frames: list[Image.Image] = field(default_factory=list)


def short_count(count: int) -> str:
    """As it is below 1000, then `4.6k`, from ten thousand on `12k`."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 10_000 else f"{round(count / 1000)}k"
