"""What an encoder does, and the exact times of its frames."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from pathlib import Path

from PIL import Image

from captures.engine.look import flatten
from captures.engine.spec import CaptureSpec


class Frame:
    """A captured frame: its bytes (PNG or JPEG), and its pixels once somebody has needed them."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.decoded: Image.Image | None = None
        self._opaque: Image.Image | None = None

    @property
    def image(self) -> Image.Image:
        if self.decoded is None:
            self.decoded = Image.open(io.BytesIO(self.data))
            self.decoded.load()
        return self.decoded

    @property
    def opaque(self) -> Image.Image:
        """The same as RGB, transparent parts on black."""
        if self._opaque is None:
            self._opaque = flatten(self.image)
        return self._opaque

    def shrunk(self, size: tuple[int, int]) -> Frame:
        """The frame in a smaller size, each pixel the mean of those it stands for."""
        small = Frame(self.data)
        small.decoded = self.image.resize(size, Image.Resampling.BOX)
        return small


class Encoder(ABC):
    """Takes frames in order, each by `encode` and by `pipe`, and writes `path`."""

    def __init__(self, spec: CaptureSpec, path: Path) -> None:
        self.spec, self.path = spec, path
        self.frames = 0

    @abstractmethod
    async def start(self) -> None:
        """Gets ready; called while the page still loads."""

    def encode(self, frame: Frame) -> None:  # noqa: B027 - an encoder needs one of the two
        """Takes a frame; called on the run's working thread."""

    async def pipe(self, frame: Frame) -> None:  # noqa: B027
        """Takes a frame; called on the event loop."""

    @abstractmethod
    async def finish(self) -> None:
        """The file is whole when this returns. Raises CaptureError ENCODE."""

    @abstractmethod
    async def abort(self) -> None:
        """Ends at once; the file is worthless."""


def duration_at(index: int, fps: float, units_per_second: int) -> int:
    """How long frame `index` shows, in whole units, such that no error adds up (GIF at 30 fps: 3, 4, 3, 3...)."""
    return round((index + 1) * units_per_second / fps) - round(index * units_per_second / fps)


def fitted(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Exactly of this size: a capture in a coarser mode may be a pixel off."""
    return image if image.size == size else image.resize(size, Image.Resampling.NEAREST)
