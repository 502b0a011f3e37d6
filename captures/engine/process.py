"""Starting and ending Chromium's process tree."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

from captures.engine.box import Bounds, Profile
from captures.engine.cdp import Connection

HIGH_FD = 20  # out of the way of the two numbers that Chromium expects its pipe at
GONE_LIMIT_S = 3.0
PROGRAM_BYTES = 96 << 20  # of the program's own files, which every process maps; more than that are the page's
RENDERER = "--type=renderer"


@dataclass(frozen=True, slots=True)
class Family:
    """Process ids of one browser: those that run pages, and the others, of which `root` is the browser itself."""

    root: int
    pages: list[int]
    others: list[int]


class Process:
    """A running Chromium with its profile directory. Ends by itself when our end of the pipe is closed."""

    def __init__(self, pid: int, connection: Connection, profile: Profile) -> None:
        self.pid, self.connection, self.profile = pid, connection, profile

    @classmethod
    async def start(cls, executable: str, flags: list[str], profiles: str, bounds: Bounds) -> Process:
        """Raises OSError when the program cannot be started."""
        if not os.access(executable, os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        profile = Profile.make(profiles)
        to_browser, from_us = _pipe()
        to_us, from_browser = _pipe()
        arguments = [
            executable,
            *flags,
            f"--user-data-dir={profile.path}",
            "--remote-debugging-pipe",
            "--no-startup-window",
        ]
        try:
            pid = _spawn(bounds.around(arguments), to_browser, from_browser)
        except OSError:
            profile.remove()
            raise
        finally:
            os.close(to_browser)
            os.close(from_browser)
        return cls(pid, await Connection.over(to_us, from_us), profile)

    def tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self.pid)
            return [root, *root.children(recursive=True)]
        except psutil.Error:
            return []

    def family(self) -> Family:
        """As it is now. Takes some milliseconds: for a thread."""
        tree = self.tree()
        pages = [process.pid for process in tree if _runs_pages(process)]
        return Family(self.pid, pages, [process.pid for process in tree if process.pid not in pages])

    def drawing_s(self) -> float:
        """Return the seconds of CPU that the processes which run no pages have used: most of it is drawing."""
        return sum(map(_cpu_s, self.family().others))

    async def end(self) -> None:
        """Kills what is left of the tree, reaps it, and removes the profile."""
        tree = self.tree()
        self.connection.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in tree:
            with contextlib.suppress(psutil.Error):
                process.kill()
        await self._reap()
        self.profile.remove()

    async def _reap(self) -> None:
        for _ in range(int(GONE_LIMIT_S / 0.02)):
            if _ended(self.pid):
                return
            await asyncio.sleep(0.02)


def held(pid: int) -> int:
    """Return the bytes of memory that a process holds beside the program's own; 0 when it is gone.

    Nine tenths of its proportional set size, which takes the kernel twenty times as long to add up.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    named = (line.partition(":") for line in lines if line.startswith("Rss"))
    sizes = {name: int(rest.split()[0]) << 10 for name, _, rest in named}
    return sum(sizes.values()) - min(sizes.get("RssFile", 0), PROGRAM_BYTES)


def _runs_pages(process: psutil.Process) -> bool:
    try:
        return RENDERER in process.cmdline()
    except psutil.Error:
        return False


def _cpu_s(pid: int) -> float:
    try:
        used = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(used.user + used.system)


def _ended(pid: int) -> bool:
    """Whether our child has ended; takes its exit status, so that no zombie stays."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _pipe() -> tuple[int, int]:
    """Both ends with high numbers, closed on exec."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, HIGH_FD) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]


def _spawn(arguments: list[str], reads: int, writes: int) -> int:
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_DUP2, reads, 3),
        (os.POSIX_SPAWN_DUP2, writes, 4),
    ]
    env = {**os.environ, "TZ": "UTC"}  # of pages that are told no time zone, wherever this machine is
    return os.posix_spawn(arguments[0], arguments, env, file_actions=actions, setsid=True)
