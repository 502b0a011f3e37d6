"""CPU time and memory of everything this process has started.

CPU seconds: every process below ours, living or not yet waited for, with the time of its own ended children
(`utime + stime + cutime + cstime`), and our own ended children. What ends meanwhile moves from its own counter into
its parent's, so the sum never loses it. Orphans fall to us, because we are a subreaper, and are counted like our own.

Memory: the proportional set size (shared pages divided among those who share them) of the same processes.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import re
import resource
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

PR_SET_CHILD_SUBREAPER = 36
WORD = re.compile(r"[\w.-]+")
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SAMPLE_EVERY_S = 0.5


class Stat(NamedTuple):
    pid: int
    parent: int
    state: str
    cpu_s: float


class Tree:
    """The processes below this one, except those in `ignored` (and what is below them)."""

    def __init__(self) -> None:
        self.ignored: set[int] = set()
        self.unreadable = 0  # processes whose proportional size we may not read: their resident size counts
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def processes(self) -> list[Stat]:
        children: dict[int, list[Stat]] = {}
        for stat in _all():
            children.setdefault(stat.parent, []).append(stat)
        found, to_visit = [], [os.getpid()]
        while to_visit:
            below = [stat for stat in children.get(to_visit.pop(), []) if stat.pid not in self.ignored]
            found += below
            to_visit += [stat.pid for stat in below]
        return found

    def cpu_s(self) -> float:
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime + sum(stat.cpu_s for stat in self.processes())

    def cpu_parts(self) -> dict[str, float]:
        """CPU seconds by kind of process; those of ended ones are with their parents."""
        parts: dict[str, float] = collections.defaultdict(float)
        for stat in self.processes():
            parts[_kind(stat.pid)] += stat.cpu_s
        return parts

    def pss_parts(self) -> dict[str, float]:
        """Megabytes by kind of process."""
        parts: dict[str, float] = collections.defaultdict(float)
        for stat in self.processes():
            if stat.state != "Z":
                parts[_kind(stat.pid)] += self._pss_kb(stat.pid) / 1024
        return parts

    def reap(self) -> None:
        """Buries orphans. Only while no child of our own is about to be waited for."""
        for stat in self.processes():
            if stat.state == "Z" and stat.parent == os.getpid():
                os.waitpid(stat.pid, os.WNOHANG)

    def wait_empty(self, limit_s: float = 20) -> int:
        """Waits until everything has ended, as the next system must not share the machine with it.

        What does not end within the limit is killed; returns how many processes that were.
        """
        deadline, killed = time.monotonic() + limit_s, set[int]()
        while True:
            self.reap()
            left = self.processes()
            if not left:
                return len(killed)
            for stat in left if time.monotonic() > deadline else []:
                killed.add(stat.pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(stat.pid, signal.SIGKILL)
            time.sleep(0.1)

    def _pss_kb(self, pid: int) -> int:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                return next((int(line.split()[1]) for line in file if line.startswith("Pss:")), 0)
        except PermissionError:
            self.unreadable += 1
            return _rss_kb(pid)
        except (FileNotFoundError, ProcessLookupError):
            return 0


class Usage(NamedTuple):
    wall_s: float
    cpu_s: float
    pss_peak_mb: float
    bench_cpu_s: float  # what we ourselves took meanwhile: requests, sampling
    cpu_parts: dict[str, float]
    pss_parts: dict[str, float]  # at the peak


class Watch(threading.Thread):
    """Measures the tree while it is entered; `usage` tells afterwards."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(name="watch", daemon=True)
        self.tree = tree
        self.usage = Usage(0, 0, 0, 0, {}, {})
        self._peak: dict[str, float] = {}
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._own, self._parts = time.process_time(), self.tree.cpu_parts()
        self._cpu, self._began = self.tree.cpu_s(), time.monotonic()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        wall = time.monotonic() - self._began
        cpu = self.tree.cpu_s() - self._cpu
        self._over.set()
        self.join()
        parts = {kind: used - self._parts.get(kind, 0) for kind, used in self.tree.cpu_parts().items()}
        own = time.process_time() - self._own
        self.usage = Usage(wall, cpu, sum(self._peak.values()), own, _by_size(parts), _by_size(self._peak))

    def run(self) -> None:
        while True:
            self._peak = max(self._peak, self.tree.pss_parts(), key=lambda parts: sum(parts.values()))
            if self._over.wait(SAMPLE_EVERY_S):
                return


def _all() -> Iterator[Stat]:
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()  # the name before may hold anything
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield Stat(int(name), int(fields[1]), fields[0], sum(map(int, fields[11:15])) / TICKS)


def _kind(pid: int) -> str:
    """What a process is, without paths and numbers: "chromium renderer", "python manage.py capture_worker"."""
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            words = [word for word in re.split(r"[\0 ]", file.read()) if word]
    except (FileNotFoundError, ProcessLookupError):
        return "ended"
    if not words:
        return "ended"
    program = Path(words[0]).name
    if "chrom" in program:
        return "chromium " + next((word[7:] for word in words if word.startswith("--type=")), "main")
    names = [Path(word).name for word in words[1:4] if not word.startswith("-")]
    return " ".join([program, *(name for name in names[:2] if WORD.fullmatch(name) and not name.isdigit())])


def _by_size(parts: dict[str, float]) -> dict[str, float]:
    shown = {kind: round(value, 2) for kind, value in parts.items() if value >= 0.01}
    return dict(sorted(shown.items(), key=lambda pair: -pair[1]))


def _rss_kb(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * PAGE // 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0
