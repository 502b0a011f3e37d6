"""Makes a tape of a piece: the capture engine's frames, written as they come."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

from bakes.engine.writer import TapeWriter
from captures.engine.encode import Encoder, Frame
from captures.engine.spec import CaptureSpec, Mode

DEADLINE_S = 1800.0


class TapeEncoder(Encoder):
    """Every frame is shown for the same time."""

    def __init__(self, spec: CaptureSpec, path: Path, sound: Path | None = None) -> None:
        super().__init__(spec, path)
        self.sound = sound
        self._held = contextlib.ExitStack()
        self._writer: TapeWriter | None = None

    async def start(self) -> None:
        self._writer = self._held.enter_context(TapeWriter(self.path))

    def encode(self, frame: Frame) -> None:
        assert self._writer is not None
        self._writer.add_frame(frame.data, 1000 / self.spec.fps)
        self.frames += 1

    async def finish(self) -> None:
        assert self._writer is not None
        width, height = self.spec.pixel_size
        facts: dict[str, object] = {"width": width, "height": height, "frames": self.frames, "fps": self.spec.fps}
        self._writer.finish(self.sound, facts)

    async def abort(self) -> None:
        self._held.close()


def recording(spec: CaptureSpec, sound: Path | None) -> CaptureSpec:
    """The capture whose file is a tape. Exact modes only: a tape's point is its times."""

    def sink(spec: CaptureSpec, path: Path) -> Encoder:
        return TapeEncoder(spec, path, sound)

    return replace(spec, sink=sink, deadline_s=DEADLINE_S, modes=(Mode.VIRTUAL, Mode.INJECTED))
