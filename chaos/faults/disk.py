"""The disk is full: everything below the data directory, the database and the queue's file included."""

from __future__ import annotations

import contextlib
import os

from chaos.faults.base import Ground

CHUNK = 1 << 20
REFILL_S = 0.2


def no_small_disk(ground: Ground) -> str:
    mounted = os.path.ismount(ground.instance.data)
    return "" if mounted else "the data directory has no file system of its own (that needs root and mount)"


def strike(ground: Ground, seconds: float) -> None:
    """What others free meanwhile is taken as well."""
    path = ground.instance.data / "ballast"
    try:
        with path.open("ab", buffering=0) as ballast:
            for _ in ground.during(seconds, REFILL_S):
                ground.notes["filled MB"] += round(_fill(ballast.fileno()) / CHUNK)
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _fill(fd: int) -> int:
    """Writes until there is no room for another block. Returns bytes."""
    written = 0
    for size in (CHUNK, 4096):
        with contextlib.suppress(OSError):
            while True:
                written += os.write(fd, bytes(size))
    return written
