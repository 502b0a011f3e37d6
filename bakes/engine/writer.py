"""Makes tapes: frames go straight into the ZIP, nothing is held but names and times."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Self

from bakes.engine.timing import SHORTEST_MS

SUFFIXES = ("png", "webp")


class TapeWriter:
    """Writes one tape: `add_frame` for each frame, then `finish`. As a context: left without `finish`, no file stays.

    with TapeWriter(path) as tape:
        tape.add_frame(png, 16.67)
        tape.finish(soundtrack)
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_STORED)  # frames are compressed already
        self._timing: list[dict[str, object]] = []
        self._finished = False

    def add_frame(self, data: bytes, duration_ms: float, suffix: str = "png") -> None:
        """Adds a picture that is shown for so long. Raises ValueError for a duration or kind no tape may have."""
        if not SHORTEST_MS <= duration_ms < math.inf:
            raise ValueError(f"a frame cannot be shown for {duration_ms} ms")
        if suffix not in SUFFIXES:
            raise ValueError(f"frames are {' or '.join(SUFFIXES)}, not {suffix}")
        index = len(self._timing)
        name = f"frame-{index:05d}.{suffix}"
        self._zip.writestr(name, data)
        self._timing.append({"frame": index, "filename": name, "duration": duration_ms})

    def finish(self, soundtrack: Path | None = None, metadata: dict[str, object] | None = None) -> None:
        """Adds times, sound (a WAV file) and metadata.json, and closes the file."""
        self._zip.writestr("timing.json", json.dumps(self._timing))
        if soundtrack is not None:
            self._zip.write(soundtrack, "soundtrack.wav")
        if metadata is not None:
            self._zip.writestr("metadata.json", json.dumps(metadata))
        self._zip.close()
        self._finished = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if not self._finished:
            self._zip.close()
            self._path.unlink(missing_ok=True)
