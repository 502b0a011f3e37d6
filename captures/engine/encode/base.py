"""What an encoder does, and the exact times of its frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from captures.engine.spec import CaptureSpec


class Encoder(ABC):
    """Takes frames (PNG or JPEG bytes) in order and writes `path`."""

    def __init__(self, spec: CaptureSpec, path: Path) -> None:
        self.spec, self.path = spec, path
        self.frames = 0

    @abstractmethod
    async def start(self) -> None:
        """Gets ready; called while the page still loads."""

    @abstractmethod
    async def add(self, frame: bytes) -> None: ...

    @abstractmethod
    async def finish(self) -> None:
        """The file is whole when this returns. Raises CaptureError ENCODE."""

    @abstractmethod
    async def abort(self) -> None:
        """Ends at once; the file is worthless."""


def duration_at(index: int, fps: float, units_per_second: int) -> int:
    """How long frame `index` shows, in whole units, such that no error adds up (GIF at 30 fps: 3, 4, 3, 3...)."""
    return round((index + 1) * units_per_second / fps) - round(index * units_per_second / fps)
