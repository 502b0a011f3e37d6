"""Lays out a scratch instance's directory and runs the chaos in an environment that knows no other instance."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from chaos.instance import environment
from chaos.plan import Plan
from supervisor import linux
from supervisor.services import ROOT

DISK_MB = 400
DATABASE = "oven.sqlite3"
BROKEN = 1


def run(plan: Plan) -> int:
    """The exit code: 0 when every invariant held. What is left of an instance that broke one is kept."""
    place = Path(tempfile.mkdtemp(prefix="oven-chaos-"))
    (place / "tmp").mkdir()
    (place / "data").mkdir()
    with _small_disk(place / "data"):
        if plan.database:
            shutil.copy2(plan.database, place / "data" / DATABASE)
        code = _run(plan, place)
        if code == BROKEN:
            _save_logs(place)
    if code == BROKEN:
        print(f"kept for a look: {place}", file=sys.stderr)
    else:
        shutil.rmtree(place, ignore_errors=True)
    return code


def _run(plan: Plan, place: Path) -> int:
    given = {"TMPDIR": str(place / "tmp"), "PYTHONPYCACHEPREFIX": _bytecode()}
    command = [sys.executable, "-m", "chaos", f"--place={place}", *plan.as_arguments()]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(dict(os.environ), given),
        preexec_fn=linux.dies_with(os.getpid(), signal.SIGTERM),  # noqa: PLW1509 - there is one thread
    )
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())  # and wait for its end, to clear away after it
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it has heard the same, and ends its instance first
            continue


def _bytecode() -> str:
    """Where compiled modules are kept: shared by all runs, and not on the small disk."""
    return os.environ.get("PYTHONPYCACHEPREFIX") or str(Path(tempfile.gettempdir()) / "oven-chaos-bytecode")


@contextlib.contextmanager
def _small_disk(path: Path) -> Iterator[None]:
    """A file system of its own below `path`, where this user may mount one: so that it can be full."""
    options = f"size={DISK_MB}m,mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "oven-chaos", str(path)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)


def _save_logs(place: Path) -> None:
    """What lies on the small disk goes with it."""
    for name in ("logs", DATABASE, f"{DATABASE}-wal"):
        source = place / "data" / name
        with contextlib.suppress(OSError):
            if source.is_dir():
                shutil.copytree(source, place / "kept" / name)
            elif source.exists():
                (place / "kept").mkdir(exist_ok=True)
                shutil.copy2(source, place / "kept" / name)
