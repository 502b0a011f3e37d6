"""What the supervisor runs, as data, and the state of each while it runs."""

import collections
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from supervisor import linux

_TAIL_LINES = 20
_NO_ENV: Mapping[str, str] = MappingProxyType({})


class Child(NamedTuple):
    """One process to run: a program with a name."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = _NO_ENV
    cwd: Path | None = None
    show: bool = True  # whether its output is printed
    log: bool = True  # whether its output is filed
    hush: tuple[bytes, ...] = ()  # lines holding one of these are only logged
    restart: bool = True
    last: bool = False  # stopped when all others are gone: they still need it to end well
    death_signal: int = signal.SIGKILL  # what the kernel sends it should the supervisor be killed
    repair: Callable[[Sequence[str]], str | None] | None = None  # gets its last lines when it dies
    fork: bool = False  # of the loaded program, where there is one: it runs Oven's own Python


Fork = Callable[[Child, int], int]  # what it should run and where it writes to; its process id. Raises OSError.


class Backoff(NamedTuple):
    """How long a child that keeps dying waits: 0.2 s, doubled up to 10 s, forgotten after 30 s of life."""

    first: float = 0.2
    limit: float = 10.0
    forget: float = 30.0

    def delay(self, failures: int) -> float:
        """Seconds before the start that follows the `failures`th death in a row."""
        return float(min(self.first * 2 ** min(failures - 1, 30), self.limit))


class Process:
    """A child's state; `pid` is None while it is not running."""

    def __init__(self, child: Child, *, keep_lines: int = _TAIL_LINES) -> None:
        self.child = child
        self.pid: int | None = None
        self.code: int | None = None
        self.failures = 0
        self.deaths = 0
        self.restart_at: float | None = None
        self.problem = ""  # why it could not be started at all
        self.epitaph = ""  # how it ended the last time
        self.tail: collections.deque[str] = collections.deque(maxlen=keep_lines)
        self._started = 0.0
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self.pid is not None

    def start(self, base_env: Mapping[str, str], fork: Fork | None = None) -> int | None:
        """Start it, by `fork` where it can; returns the readable end of its output, or None when it cannot be."""
        self.restart_at, self.code, self.problem = None, None, ""
        self._started = time.monotonic()
        try:
            read_end, write_end = os.pipe()
        except OSError as error:
            self.problem = str(error)
            return None
        try:
            self.pid = self._forked(fork, write_end) or self._spawned(base_env, write_end)
        except (OSError, subprocess.SubprocessError) as error:
            os.close(read_end)
            self.problem = str(error)
            return None
        finally:
            os.close(write_end)
        os.set_blocking(read_end, False)
        return read_end

    def _forked(self, fork: Fork | None, output: int) -> int | None:
        if not self.child.fork or self.child.env or fork is None:
            return None
        try:
            return fork(self.child, output)
        except OSError:  # it can still be started the long way
            return None

    def _spawned(self, base_env: Mapping[str, str], output: int) -> int:
        self._popen = self._spawn(base_env, output)
        return self._popen.pid

    def _spawn(self, base_env: Mapping[str, str], output: int) -> subprocess.Popen[bytes]:
        return self._open(self.child.argv, base_env, output)

    def _open(
        self, argv: Sequence[str], base_env: Mapping[str, str], output: int, keep: Collection[int] = ()
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            env={**base_env, **self.child.env},
            cwd=self.child.cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=keep,
            start_new_session=True,
            preexec_fn=linux.dies_with(os.getpid(), self.child.death_signal),  # noqa: PLW1509 - there is one thread
        )

    def ended(self, code: int | None, backoff: Backoff) -> float:
        """Note that it died; returns the seconds to wait before it may start again."""
        if self._popen is not None:
            self._popen.returncode = code  # reaped here and not by Popen, which would look for it otherwise
            self._popen = None
        self.pid, self.code = None, code
        self.epitaph = self._how()
        self.deaths += 1
        if time.monotonic() - self._started >= backoff.forget:
            self.failures = 0
        self.failures += 1
        return backoff.delay(self.failures)

    def _how(self) -> str:
        if self.problem:
            return f"could not be started: {self.problem}"
        if self.code is not None and self.code < 0:
            return f"was killed by {signal_name(-self.code)}"
        return f"ended with exit code {self.code}"


def signal_name(number: int) -> str:
    """SIGKILL rather than 9."""
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no name
        return f"signal {number}"


def python(*args: str) -> tuple[str, ...]:
    """A command line for the Python that runs this."""
    return (sys.executable, *args)
