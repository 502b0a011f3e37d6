"""The kernel calls that tie children to the supervisor, and walks over /proc."""

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

ON_LINUX = sys.platform.startswith("linux")

# Looked up once: the child of a fork should do as little as it can before it execs.
_LIBC = ctypes.CDLL(None, use_errno=True) if ON_LINUX else None


class Proc(NamedTuple):
    """One running process; a pid alone can be given to somebody else later, pid and start cannot."""

    ppid: int
    start: int


Table = Mapping[int, Proc]


def _prctl(option: int, value: int) -> None:
    if _LIBC is not None:
        _LIBC.prctl(option, value, 0, 0, 0)


def adopt_orphans() -> None:
    """Let processes whose parent died become ours, so that they can be seen and ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def dies_with(parent: int, death_signal: int) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends `death_signal` to the child when `parent` is gone."""

    def prepare() -> None:
        _prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:  # it went before the line above could arm anything
            os._exit(1)

    return prepare


def processes() -> dict[int, Proc]:
    """Every process that still runs (zombies are not listed)."""
    table: dict[int, Proc] = {}
    if not ON_LINUX:
        return table
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            proc = _read_stat(entry)
            if proc is not None:
                table[int(entry)] = proc
    return table


def _read_stat(entry: str) -> Proc | None:
    try:
        with open(f"/proc/{entry}/stat", "rb") as file:
            # The command's name stands in parentheses and may itself hold spaces and parentheses.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    return Proc(int(fields[1]), int(fields[19]))


def descendants(roots: Iterable[int], table: Table) -> set[int]:
    """The processes below `roots`, without the roots themselves."""
    below: dict[int, list[int]] = {}
    for pid, proc in table.items():
        below.setdefault(proc.ppid, []).append(pid)
    found: set[int] = set()
    todo = list(roots)
    while todo:
        for pid in below.get(todo.pop(), ()):
            if pid not in found:
                found.add(pid)
                todo.append(pid)
    return found


def family(marks: Collection[bytes], table: Table) -> dict[int, Proc]:
    """Processes whose environment holds all of `marks`, and everything below them.

    A mark is an entry (`NAME=value`), or `NAME=` for any value.
    """
    roots = {pid for pid in table if pid != os.getpid() and _carries(pid, marks)}
    found = (roots | descendants(roots, table)) - {os.getpid()}
    return {pid: table[pid] for pid in found}


def _carries(pid: int, marks: Collection[bytes]) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return False
    return all(
        mark in entries or (mark.endswith(b"=") and any(entry.startswith(mark) for entry in entries))
        for mark in marks
    )


def kill(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal; a process that went in the meantime is what was wanted."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
