"""Ends what is left when the supervisor itself is killed.

The kernel ends the direct children (see `linux.dies_with`), but not their children. The guard is a shell that
sleeps on a pipe whose other end only the supervisor holds; when the pipe closes it becomes a Python that ends
every process with this run's mark. It keeps the data directory's lock meanwhile: a new Oven waits for it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

from supervisor import linux

RUN_MARK = "OVEN_RUN"
_GRACE = 1.0
_LIMIT = 20.0
# A shell, because it takes a tenth of a Python's memory, and this one mostly never wakes up.
_WATCH = 'trap "" INT TERM HUP; read -r _; exec "$0" -m supervisor.orphan_guard "$1"'


def new_token() -> str:
    """A value no other run has."""
    return os.urandom(12).hex()


class Guard:
    """The watcher; `pid` is for the supervisor's bookkeeping."""

    def __init__(self, token: str, keep_fd: int | None = None) -> None:
        self._token = token
        self._keep = () if keep_fd is None else (keep_fd,)
        self._pipe: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the watcher."""
        read_end, self._pipe = os.pipe()
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, sys.executable, self._token],
            cwd=Path(__file__).resolve().parents[1],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=self._keep,
            start_new_session=True,
        )
        os.close(read_end)

    def again(self, code: int) -> None:
        """Start another, since this one was ended by somebody."""
        self._forget(code)
        self.start()

    def stop(self) -> None:
        """End the watcher: nothing is left to watch."""
        if self._process is not None:
            self._process.kill()
            self._forget(self._process.wait())

    def _forget(self, code: int) -> None:
        if self._process is not None:
            self._process.returncode = code
            self._process = None
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def end_family(marks: Collection[bytes], *, grace: float) -> int:
    """Give marked processes `grace` seconds to end by themselves, then kill them.

    Returns how many were killed.
    """
    begun = time.monotonic()
    known: dict[int, linux.Proc] = {}
    killed: set[int] = set()
    while time.monotonic() - begun < _LIMIT:
        table = linux.processes()
        # Remembered, because a process that loses its parent can no longer be found below it.
        known.update(linux.family(marks, table))
        known = {pid: proc for pid, proc in known.items() if pid in table and table[pid].start == proc.start}
        if not known:
            break
        if time.monotonic() - begun >= grace:
            linux.kill(known)
            killed.update(known)
        time.sleep(0.05)
    return len(killed)


if __name__ == "__main__":
    signal.alarm(60)  # whatever happens, the lock is not held for ever
    end_family([f"{RUN_MARK}={sys.argv[1]}".encode()], grace=_GRACE)
