"""What this machine has and what Oven takes of it, in MB (2^20 bytes)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import psutil

CGROUP = Path("/sys/fs/cgroup")


class Room(TypedDict):
    """Of memory, or of a disk."""

    usedMB: int
    totalMB: int
    percent: float


def room(used: int, total: int) -> Room:
    return {"usedMB": used >> 20, "totalMB": total >> 20, "percent": round(100 * used / max(1, total), 1)}


def memory() -> Room:
    """Of the container where one limits it, else of the machine. What can be given up at once is not used."""
    limited = _cgroup_memory(CGROUP)
    if limited:
        return room(*limited)
    found = psutil.virtual_memory()
    return room(found.total - found.available, found.total)


def _cgroup_memory(place: Path) -> tuple[int, int] | None:
    """Used and most, in bytes; None where there is no limit below the machine's."""
    try:
        most = int((place / "memory.max").read_text())
        used = int((place / "memory.current").read_text())
        lines = (line.split() for line in (place / "memory.stat").read_text().splitlines())
        idle = next((int(value) for name, value in lines if name == "inactive_file"), 0)
    except (OSError, ValueError):  # "max", or no such files
        return None
    return (used - idle, most) if most < psutil.virtual_memory().total else None


def disk(place: Path) -> Room:
    """Of the file system that holds a directory; what only root may fill does not count."""
    found = shutil.disk_usage(place)
    return room(found.used, found.used + found.free)


def pss(process: psutil.Process) -> int:
    """Bytes of a process, shared ones divided among those that share them; 0 when it is gone or another's."""
    try:
        return int(process.memory_full_info().pss)
    except (psutil.Error, OSError):
        return 0


def tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def megabytes(processes: Iterable[psutil.Process]) -> int:
    return sum(map(pss, processes)) >> 20


def worker_memory(browser: int | None) -> tuple[int, int | None]:
    """MB of this process with its helpers, and of the process tree of its browser (by process id)."""
    of_browser = {process.pid: process for process in tree(browser)} if browser else {}
    own = [process for process in tree(os.getpid()) if process.pid not in of_browser]
    return megabytes(own), megabytes(of_browser.values()) if browser else None


def rest_memory(workers: set[int]) -> int:
    """MB of Oven's other processes here: the supervisor and what it runs, without those workers (process ids).

    Of this process alone where nothing of ours runs it.
    """
    parent = psutil.Process().parent()
    if parent is None or "supervisor" not in parent.cmdline():
        return megabytes([psutil.Process()])
    return megabytes([parent, *(child for child in parent.children() if child.pid not in workers)])
