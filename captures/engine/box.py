"""What the kernel holds a Chromium to, and whose Chromium it is.

The watchdog is quicker and says what was too much; these bounds hold also while nobody looks. A profile directory is
locked by the process that started its browser, so that whoever comes later can tell what has been left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

SHELL = "/bin/sh"  # it becomes the browser: with the same process id, and the bounds in place before its first line
PREFIX = "oven-browser-"
UNBORN = ".oven-unborn-"
STILLBORN_S = 60.0  # nobody takes so long to lock a new one
BLOCK = 512  # bytes, what a POSIX shell counts files in


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of each process of a browser: MB that it may write to, MB of one file, open files. 0: no bound.

    `data_mb` leaves room for stacks and caches above what a page may hold: the watchdog should come first.
    """

    data_mb: int = 4096
    file_mb: int = 1024
    files: int = 8192

    def around(self, command: list[str]) -> list[str]:
        """The command under these bounds. A bound that this process is not allowed to set is left as it is."""
        return [SHELL, "-c", f'{"; ".join(self._lines())}; exec "$0" "$@"', *command]

    def _lines(self) -> Iterator[str]:
        yield "ulimit -c 0"  # no core dumps: they hold what a page held
        if self.data_mb:
            yield f"ulimit -d {self.data_mb << 10}"
        if self.file_mb:
            yield f"ulimit -f {(self.file_mb << 20) // BLOCK}"
        if self.files:
            yield f"ulimit -n {self.files}"


class Profile:
    """A browser's profile directory, ours as long as this process lives."""

    def __init__(self, path: Path, lock: int | None) -> None:
        self.path, self._lock = path, lock

    @classmethod
    def make(cls, root: str) -> Profile:
        """A fresh one; what processes that have died left here is cleared away first."""
        home = Path(root or tempfile.gettempdir())
        home.mkdir(parents=True, exist_ok=True)
        clear(home)
        unborn = Path(tempfile.mkdtemp(prefix=UNBORN, dir=home))  # nobody looks at it before it is locked
        lock = _lock(unborn)  # none on file systems without locks: there nobody can clear it away either
        return cls(unborn.rename(home / unborn.name.replace(UNBORN, PREFIX)), lock)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)


def clear(home: Path) -> int:
    """Ends the browsers that have outlived whoever started them, and removes their profiles; returns how many."""
    found = 0
    stillborn = (path for path in home.glob(f"{UNBORN}*") if time.time() - path.stat().st_mtime > STILLBORN_S)
    for path in (*home.glob(f"{PREFIX}*"), *stillborn):
        lock = _lock(path)
        if lock is None:
            continue
        for process in _users(path):
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)
        found += 1
    return found


def _lock(path: Path) -> int | None:
    """A descriptor that holds the directory; None while somebody else holds it, or when it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _users(profile: Path) -> Iterator[psutil.Process]:
    """A browser that runs on a profile, and all its processes."""
    mark = f"--user-data-dir={profile}"
    for process in psutil.process_iter(["cmdline"]):
        if mark in (process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.Error):
                yield from process.children(recursive=True)
            yield process
