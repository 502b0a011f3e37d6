"""The scratch Oven: the real supervisor with everything it starts, and its processes by what they are for."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
from django.core.management import call_command

from supervisor import linux
from supervisor.services import ROOT

START_LIMIT_S = 90.0
STOP_LIMIT_S = 45.0
GONE_LIMIT_S = 20.0

ONE_OF_EACH = ("valkey", "loader", "web", "pieces", "bundle worker", "light worker", "scheduler")
# What a command line holds, by role. The first that fits counts.
COMMANDS = {
    "valkey": "valkey-server",
    "web": "uvicorn",
    "pieces": "pieces/serve.py",
    "capture worker": "capture_worker",
    "bake worker": "bake_worker",
    "bundle worker": "bundle_worker",
    "light worker": "light_worker",
    "scheduler": "scheduler",
    "ffmpeg": "ffmpeg",
    "page": "--type=renderer",
    "browser's helper": "--type=",
    "browser": "--headless",
    "minifier": "node",
    "guard": "/bin/sh -c trap",
    "loader": "supervisor.forking",
}


class NotStarted(Exception):
    """It does not come up; the message holds what it said last."""


class Instance:
    """`data` is its directory, `env` what the supervisor is started with."""

    def __init__(self, data: Path, port: int, workers: int, bakes: int, env: dict[str, str]) -> None:
        self.data, self.port, self.workers, self.bakes, self.env = data, port, workers, bakes, env
        self.base = f"http://127.0.0.1:{port}"
        self.log = data.parent / "oven.log"
        self.token = ""  # nosec B105
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(base_url=self.base, timeout=3)  # made once: each loads all certificates

    # --- from start to end ---

    def start(self) -> None:
        command = [sys.executable, "-m", "supervisor", f"--port={self.port}", f"--data={self.data}"]
        command += [f"--workers={self.workers}", f"--bakes={self.bakes}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.env,
                stdout=log,
                stderr=log,
                preexec_fn=linux.dies_with(os.getpid(), signal.SIGTERM),  # noqa: PLW1509 - it execs at once
            )
        self.await_healthy(START_LIMIT_S)
        if not self.token:
            self.token = self._new_token()

    def _new_token(self) -> str:
        secret = io.StringIO()
        call_command("token", f"chaos-{self.port}", stdout=secret)
        return secret.getvalue().strip()

    def stop(self) -> list[str]:
        """Ends it as a person would. Returns the command lines of whatever is left, which is then killed."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        left = self.everything()
        lines = [_command(process)[:200] for process in left]
        for process in left:
            _signal(process, signal.SIGKILL)
        return lines

    def power_cut(self) -> int:
        """SIGKILL for all of it at once. Returns how many."""
        assert self._process is not None
        victims = [psutil.Process(self._process.pid), *self.family()]
        for victim in victims:
            _signal(victim, signal.SIGKILL)
        self._process.wait()
        until(lambda: not self.everything(), GONE_LIMIT_S)
        return len(victims)

    def await_healthy(self, limit_s: float) -> None:
        """Until the web process answers and every worker has said that it is there. Raises NotStarted."""
        if not until(lambda: self.healthy() and self.roles_missing() == [], limit_s, every_s=0.2):
            tail = self.log.read_text(errors="replace")[-3000:]
            raise NotStarted(f"missing: {self.roles_missing()}, healthy: {self.healthy()}\n{tail}")

    def healthy(self) -> bool:
        try:
            return self._http.get("/health").status_code == 200
        except httpx.HTTPError:
            return False

    def roles_missing(self) -> list[str]:
        """Of those that the supervisor keeps running."""
        found = self.roles()
        wanted = dict.fromkeys(ONE_OF_EACH, 1)
        wanted |= {"capture worker": self.workers, "bake worker": self.bakes}
        return [name for name, count in wanted.items() if len(found.get(name, [])) < count]

    # --- processes ---

    def roles(self) -> dict[str, list[psutil.Process]]:
        """Its live processes by what they are for. A bake's own process is no `bake worker` but a `bake`."""
        found: dict[str, list[psutil.Process]] = {}
        for process in self.family():
            line = _command(process)
            role = next((role for role, part in COMMANDS.items() if part in line), "")
            if role == "bake worker" and self._is_fork(process):
                role = "bake"
            if role:
                found.setdefault(role, []).append(process)
        return found

    def _is_fork(self, process: psutil.Process) -> bool:
        try:
            return self._process is None or process.ppid() != self._process.pid
        except psutil.Error:
            return True

    def family(self) -> list[psutil.Process]:
        """Everything below the supervisor."""
        if self._process is None:
            return []
        try:
            found = psutil.Process(self._process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [process for process in found if _lives(process)]

    def everything(self) -> list[psutil.Process]:
        """Every process of this instance, also those that have lost their parent."""
        mark = str(self.data)
        found = []
        for process in psutil.process_iter():
            if process.pid == os.getpid():
                continue
            try:
                mine = process.environ().get("OVEN_RUN") and process.environ().get("OVEN_DATA") == mark
            except psutil.Error:
                continue
            if (mine or f"={mark}" in _command(process)) and _lives(process):
                found.append(process)
        return found

    def kill(self, process: psutil.Process) -> bool:
        return _signal(process, signal.SIGKILL)

    def freeze(self, role: str) -> list[psutil.Process]:
        """SIGSTOP; those that were stopped."""
        return [process for process in self.roles().get(role, []) if _signal(process, signal.SIGSTOP)]

    def thaw(self, processes: list[psutil.Process]) -> None:
        for process in processes:
            _signal(process, signal.SIGCONT)

    def said(self, text: str) -> int:
        """How often its output holds a text."""
        return self.log.read_text(errors="replace").count(text)


def environment(base: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """`given`, and of the caller's environment only what is no setting."""
    kept = ("PATH", "HOME", "LANG", "USER", "LOGNAME", "OVEN_CHROMIUM", "OVEN_NODE", "PLAYWRIGHT_BROWSERS_PATH")
    own = {name: base[name] for name in kept if base.get(name)}
    return {**own, "OVEN_NO_DOTENV": "1", **given}


def read_environment(path: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads(path.read_text())
    return found


def until(condition: Callable[[], object], limit_s: float, every_s: float = 0.1) -> bool:
    """False when the limit comes first."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(process: psutil.Process, number: int) -> bool:
    try:
        process.send_signal(number)
    except psutil.Error:
        return False
    return True
