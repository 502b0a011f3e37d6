"""The supervisor: one thread, one loop, every process known by its pid."""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from types import FrameType
from typing import NamedTuple

from supervisor import linux
from supervisor.child import Backoff, Child, Process
from supervisor.health import Address, Watch
from supervisor.loader import Loader
from supervisor.orphan_guard import RUN_MARK, Guard, new_token
from supervisor.output import Console, Reader

_SECOND_SIGNAL_AFTER = 0.3  # a wrapper (make, a shell) often passes on the same Ctrl-C once more
_SWEEP_EVERY = 30.0


class Stopped(Exception):
    """Somebody asked Oven to stop."""


class Waits(NamedTuple):
    """Seconds the supervisor is patient for."""

    stop: float = 8.0  # between SIGTERM and SIGKILL
    orphans: float = 2.0  # a browser whose worker died may close (and tidy its profile) by itself
    orphans_at_stop: float = 1.0
    killed: float = 5.0  # for SIGKILL to take effect


_BACKOFF = Backoff()
_WAITS = Waits()


class Result(NamedTuple):
    """How a process that runs once ended, and all it said."""

    code: int | None
    lines: list[str]


class Supervisor:
    """Runs children, restarts those that die, and ends everything when it stops."""

    def __init__(
        self,
        console: Console,
        env: Mapping[str, str] | None = None,
        *,
        backoff: Backoff = _BACKOFF,
        waits: Waits = _WAITS,
        keep_fd: int | None = None,
    ) -> None:
        token = new_token()
        self.console = console
        self.processes: dict[str, Process] = {}
        self._env = {**(os.environ if env is None else env), RUN_MARK: token}
        self._backoff = backoff
        self._waits = waits
        self._guard = Guard(token, keep_fd)
        self._selector = selectors.DefaultSelector()
        self._loader: Loader | None = None
        self._signals = 0
        self._last_signal = 0.0
        self._stopping = False
        self._suspects: set[tuple[int, int]] = set()
        self._watches: list[Watch] = []
        self._sweep_at = time.monotonic() + _SWEEP_EVERY

    # Starting

    def open(self) -> None:
        """Take over signals and orphans; to be called once, before the first child."""
        linux.adopt_orphans()
        self._guard.start()
        wake, self._wake_end = os.pipe()
        for fd in (wake, self._wake_end):
            os.set_blocking(fd, False)
        self._selector.register(wake, selectors.EVENT_READ, lambda: self._drain(wake))
        signal.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # it only has to wake the loop
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._on_signal)

    @staticmethod
    def _drain(fd: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(fd, 4096)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._signals or now - self._last_signal >= _SECOND_SIGNAL_AFTER:
            self._signals += 1
        self._last_signal = now

    def add(self, child: Child, *, keep_lines: int = 20) -> Process:
        """Start a child and keep an eye on it."""
        self.console.expect(child.name, log=child.log)
        process = self.processes[child.name] = Process(child, keep_lines=keep_lines)
        self._start(process)
        return process

    def watch(self, process: Process, address: Address, every: float) -> None:
        """Ask a web process for /health every so many seconds from now on; one that hangs is killed."""
        self._watches.append(Watch(process, address, every))

    def load(self, child: Child, timeout: float) -> Process:
        """Start the process that children are forks of, and wait until it can fork, or has died of trying."""
        loader = self._loader = self.processes[child.name] = Loader(child)
        self._start(loader)
        self.until(lambda: loader.loaded() or loader.deaths > 0, timeout)
        if loader.deaths:
            self._drain_outputs()
        return loader

    def _start(self, process: Process) -> None:
        loader = self._loader
        output = process.start(self._env, loader.fork if loader is not None and loader.loaded() else None)
        if output is None:
            self._note_death(process, None)
            return
        child = process.child

        def take(text: bytes) -> None:
            process.tail.append(text.decode(errors="replace"))
            show = child.show and not any(part in text for part in child.hush)
            self.console.line(child.name, text, show=show, log=child.log)

        reader = Reader(output, take)
        self._selector.register(output, selectors.EVENT_READ, lambda: self._read(reader))

    def _read(self, reader: Reader) -> None:
        if not reader.read():
            self._selector.unregister(reader.fd)
            reader.close()

    # Waiting

    def until(self, condition: Callable[[], bool], timeout: float, *, every: float = 0.1) -> bool:
        """Do the supervisor's work until `condition` holds; False when that takes too long."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self._tick(every)
            self._check()
        return True

    def run(self) -> None:
        """Do the supervisor's work until somebody asks it to stop (raises Stopped)."""
        while True:
            self._check()
            self._tick(_SWEEP_EVERY)

    def run_once(self, child: Child) -> Result:
        """Run a child to its end and return what it said."""
        process = self.add(child._replace(restart=False), keep_lines=1000)
        while process.running:
            self._tick(1.0)
            self._check()
        self._drain_outputs()
        del self.processes[child.name]
        return Result(process.code, [process.problem] if process.problem else list(process.tail))

    def _drain_outputs(self) -> None:
        """Take last words: one read empties a full pipe, one more sees its end."""
        for _ in range(2):
            self._tick(0.0)

    def _drain_ready(self) -> None:
        for key, _ in self._selector.select(0.0):
            key.data()

    def _check(self) -> None:
        if self._signals:
            raise Stopped

    def _tick(self, timeout: float) -> None:
        for key, _ in self._selector.select(self._patience(timeout)):
            key.data()
        self._reap()
        now = time.monotonic()
        if self._stopping:
            return
        for process in self.processes.values():
            if process.restart_at is not None and process.restart_at <= now:
                self._start(process)
        for watch in self._watches:
            if watch.due <= now and not watch.look(now):
                self.console.say(str(watch))
                watch.kill()
        if self._sweep_at <= now:
            self._sweep(now)

    def _patience(self, timeout: float) -> float:
        if self._stopping:
            return timeout
        times = [process.restart_at for process in self.processes.values() if process.restart_at is not None]
        times += [self._sweep_at, *(watch.due for watch in self._watches)]
        return max(0.0, min([timeout, *(due - time.monotonic() for due in times)]))

    # The dead

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._reaped(pid, os.waitstatus_to_exitcode(status))

    def _reaped(self, pid: int, code: int) -> None:
        if pid == self._guard.pid and not self._stopping:
            self._replace_guard(code)
        for process in self.processes.values():
            if process.pid == pid:
                self._note_death(process, code)

    def _replace_guard(self, code: int) -> None:
        try:
            self._guard.again(code)
        except OSError as error:
            self.console.say(f"the process that cleans up after a killed supervisor could not be started: {error}")

    def _note_death(self, process: Process, code: int | None) -> None:
        delay = process.ended(code, self._backoff)
        self._sweep_at = time.monotonic()  # it may have left something behind
        if self._stopping or not process.child.restart:
            return
        if process is self._loader and code == os.EX_CONFIG:  # it has said which settings are wrong
            return
        if process.child.repair is not None:
            self._drain_ready()
            if repaired := process.child.repair(list(process.tail)):
                process.tail.clear()
                self.console.say(repaired)
        process.restart_at = time.monotonic() + delay
        self.console.say(f"{process.child.name} {process.epitaph}; starting it again in {delay:.1f} s")

    def _strays(self) -> dict[int, linux.Proc]:
        """Our descendants that belong to no child that runs: what dead children left."""
        table = linux.processes()
        known = {process.pid for process in self.processes.values() if process.pid is not None}
        if self._guard.pid is not None:
            known.add(self._guard.pid)
        ours = linux.descendants([os.getpid()], table) - known - linux.descendants(known, table)
        return {pid: table[pid] for pid in ours}

    def _sweep(self, now: float) -> None:
        """Kill strays that were strays at the last look already."""
        try:
            strays = self._strays()
        except OSError:  # too many files are open at the moment
            self._sweep_at = now + _SWEEP_EVERY
            return
        late = [pid for pid, proc in strays.items() if (pid, proc.start) in self._suspects]
        if late:
            linux.kill(late)
            self.console.say(f"ended {len(late)} process(es) left behind by one that died")
        self._suspects = {(pid, proc.start) for pid, proc in strays.items()}
        self._sweep_at = now + (self._waits.orphans if strays else _SWEEP_EVERY)

    # Stopping

    def stop(self) -> None:
        """End every child, what they left, and those that the others needed, in this order."""
        self._stopping = True
        everyone = list(self.processes.values())
        self._end(process for process in everyone if not process.child.last)
        self._end_strays()
        self._end(process for process in everyone if process.child.last)
        self._end_strays()
        self._guard.stop()
        self._drain_outputs()
        self._close()

    def _end(self, processes: Iterable[Process]) -> None:
        mine = [process for process in processes if process.running]
        linux.kill((process.pid for process in mine if process.pid), signal.SIGTERM)
        self._settle(mine, self._waits.stop)
        for process in mine:
            if process.pid is not None:  # not reaped yet, so the number is still its own
                self.console.say(f"{process.child.name} does not stop; killing it")
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
        self._settle(mine, self._waits.killed, hurry=False)

    def _settle(self, processes: list[Process], timeout: float, *, hurry: bool = True) -> None:
        deadline = time.monotonic() + timeout
        while any(process.running for process in processes) and time.monotonic() < deadline:
            if hurry and self._signals > 1:
                return
            self._tick(0.05)

    def _end_strays(self) -> None:
        begun = time.monotonic()
        patience = self._waits.orphans_at_stop
        while strays := self._strays():
            waited = time.monotonic() - begun
            if waited >= patience + self._waits.killed:
                self.console.say(f"could not end: {', '.join(map(str, sorted(strays)))}")
                return
            if waited >= patience or self._signals > 1:
                linux.kill(strays)
            self._tick(0.02)

    def _close(self) -> None:
        for watch in self._watches:
            watch.close()
        signal.set_wakeup_fd(-1)
        os.close(self._wake_end)
        for key in list(self._selector.get_map().values()):
            os.close(key.fd)
        self._selector.close()
