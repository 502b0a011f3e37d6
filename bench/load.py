"""Drives a system from some threads and measures it meanwhile."""

from __future__ import annotations

import io
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from bench.facts import load as load_average
from bench.systems import System
from bench.tree import Tree, Usage, Watch


@dataclass(frozen=True, slots=True)
class Load:
    """What a system is asked for: so many grabs of a kind, from so many clients at once."""

    name: str
    kind: str  # webp or png
    clients: int
    grabs: int


@dataclass(slots=True)
class Single:
    """One grab, as its client saw it."""

    started_s: float
    latency_s: float
    size: int = 0
    frames: int = 0
    error: str = ""
    data: bytes = field(default=b"", repr=False)

    def as_json(self) -> dict[str, Any]:
        shown = {"started_s": round(self.started_s, 3), "latency_s": round(self.latency_s, 3), "bytes": self.size}
        return {**shown, "frames": self.frames, **({"error": self.error} if self.error else {})}


@dataclass(slots=True)
class Measured:
    """One load on one system with one piece in one round."""

    round: int
    piece: str
    load: Load
    usage: Usage
    load_average: list[float]
    singles: list[Single]

    @property
    def good(self) -> list[Single]:
        return [single for single in self.singles if not single.error]

    def as_json(self) -> dict[str, Any]:
        parts = self.usage._asdict()
        usage = {name: round(value, 3) if isinstance(value, float) else value for name, value in parts.items()}
        what = {"round": self.round, "piece": self.piece, "load": self.load.name, "kind": self.load.kind}
        what |= {"clients": self.load.clients, **usage, "load_average": self.load_average}
        return {**what, "singles": [single.as_json() for single in self.singles]}


def warm_up(system: System, piece: str, kind: str) -> None:
    """Unmeasured grabs, all at once, so that every worker gets one."""
    with ThreadPoolExecutor(system.warm) as threads:
        for done in [threads.submit(system.grab, piece, kind) for _ in range(system.warm)]:
            done.result()


def measure(tree: Tree, system: System, piece: str, load: Load, round_: int, frames: int) -> Measured:
    before = load_average()
    with Watch(tree) as watch:
        singles = _drive(system, piece, load)
    for single in singles:
        _verify(single, load.kind, frames if load.kind == "webp" else 1)
    return Measured(round_, piece, load, watch.usage, before, singles)


def _drive(system: System, piece: str, load: Load) -> list[Single]:
    """Each client asks for the next grab as soon as it has one."""
    singles: list[Single] = []
    tickets, lock, started = itertools.count(), threading.Lock(), time.monotonic()

    def client() -> None:
        while next(tickets) < load.grabs:
            single = _grab(system, piece, load.kind, started)
            with lock:
                singles.append(single)

    with ThreadPoolExecutor(load.clients) as threads:
        for done in [threads.submit(client) for _ in range(load.clients)]:
            done.result()
    return sorted(singles, key=lambda single: single.started_s)


def _grab(system: System, piece: str, kind: str, epoch: float) -> Single:
    started = time.monotonic()
    data, error = b"", ""
    try:
        data = system.grab(piece, kind)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    return Single(started - epoch, time.monotonic() - started, len(data), error=error, data=data)


def _verify(single: Single, kind: str, frames: int) -> None:
    """A grab counts when its file has the right format, size and number of frames, and decodes to the end."""
    if single.error:
        return
    try:
        with Image.open(io.BytesIO(single.data)) as image:
            single.frames = getattr(image, "n_frames", 1)
            image.seek(single.frames - 1)
            image.load()
            found = (image.format or "", *image.size, single.frames)
    except Exception as problem:
        single.error = f"unreadable: {problem}"
        return
    finally:
        single.data = b""
    if found != (kind.upper(), 512, 512, frames):
        single.error = f"wrong file: {found}"
