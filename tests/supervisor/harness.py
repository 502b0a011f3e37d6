"""A supervisor to try things on, and a look at which processes are its own."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

RUNNER = Path(__file__).with_name("runner.py")
LONG = 20.0

SLEEP = "import time; time.sleep(600)"


def wait_until(condition: Callable[[], object], timeout: float = LONG) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


class Run:
    """A supervisor in a process of its own; everything it starts carries a mark in its environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.logs = home / "logs"
        self._mark = f"OVEN_TEST_MARK={uuid.uuid4()}"
        self._output = home / "output.txt"
        self._process: subprocess.Popen[bytes] | None = None

    def children(self, *children: dict[str, Any], loader: tuple[str, ...] = (), **waits: float) -> None:
        """Run these children, with short waits; those that may, as forks of what Python has loaded."""
        spec = {
            "logs": str(self.logs),
            "children": children,
            "loader": loader,
            "backoff": {"first": 0.1, "limit": 1.0, "forget": 30.0},
            "waits": {"stop": 1.0, "orphans": 0.2, "orphans_at_stop": 0.2, **waits},
        }
        self.launch("children", json.dumps(spec))
        self.wait_for("all started")

    def launch(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        name, _, value = self._mark.partition("=")
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, str(RUNNER), *arguments],
                env={**os.environ, **(env or {}), name: value},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def output(self) -> str:
        return self._output.read_text() if self._output.exists() else ""

    def wait_for(self, text: str, times: int = 1) -> None:
        assert wait_until(lambda: self.output.count(text) >= times), f"no {text!r} in:\n{self.output}"

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(LONG)

    def pids(self, part: str = "") -> list[int]:
        """The live processes of this run whose command line ends in `part`."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._mine(pid, part)]

    def _mine(self, pid: int, part: str) -> bool:
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            return False
        return self._mark.encode() in environ.split(b"\0") and command.rstrip().endswith(part.encode())

    def only(self, part: str) -> int:
        """The one process whose command line ends in `part`, once it is there."""
        assert wait_until(lambda: len(self.pids(part)) == 1), f"{part}: {self.pids(part)}"
        return self.pids(part)[0]

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)


def fake(name: str, code: str = SLEEP, **more: Any) -> dict[str, Any]:
    """A child that runs a line of Python."""
    return {"name": name, "argv": [sys.executable, "-c", f"{code}  # {name}"], **more}


def with_stubborn(name: str) -> dict[str, Any]:
    """A child whose own child has a session of its own, and ignores SIGTERM and SIGHUP."""
    stubborn = (
        "import os, signal, time; os.setsid(); "
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN); "
        f"print('{name}-ready', flush=True); time.sleep(600)  # {name}-stubborn"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {stubborn!r}])"
    return fake(name, code)
