"""A capture as an ordinary user, in a process of its own; what its page's process is held by is printed as JSON.

Whoever runs the tests as root gets another interpreter for it where their own lies in root's home.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
PAGE = "data:text/html,<h1>x</h1><script>window.acPieceReady = true</script>"


@cache
def command() -> list[str]:
    """How an ordinary user runs our Python; empty where none can, or may have no namespaces."""
    own = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    for python in (sys.executable, own):
        if _works([*drop, python, "-c", "import psutil, uvloop"]) and _works([*drop, "unshare", "--user", "true"]):
            return [*drop, python]
    return []


def environment() -> dict[str, str]:
    return {**os.environ, "HOME": "/tmp", "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}


def _works(words: list[str]) -> bool:
    try:
        return subprocess.run(words, env=environment(), cwd="/", capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def box_of_a_page(*before: str) -> dict[str, Any]:
    """What holds the page's process, as an ordinary user sees it. `before`: a program that starts the Python."""
    words = [*before, *command(), str(Path(__file__).resolve())]
    done = subprocess.run(words, env=environment(), cwd="/", capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def look(pid: int) -> dict[str, Any]:
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    limits = {
        line[:26].strip(): line[26:].split()[0] for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
    }
    return {
        "seccomp": int(status["Seccomp"]),
        "namespaces": [name for name in ("user", "pid", "net") if space("self", name) != space(pid, name)],
        "core": limits["Max core file size"],
        "data": int(limits["Max data size"]),
    }


def space(pid: int | str, name: str) -> Path:
    return Path(f"/proc/{pid}/ns/{name}").readlink()


def main() -> None:
    from captures.engine.box import Bounds
    from captures.engine.chromium import BrowserOptions
    from captures.engine.host import EngineHost
    from captures.engine.spec import CaptureSpec, Mode

    found: dict[str, Any] = {}

    def watch(progress: Any) -> None:
        browser = host.engine.browser
        if progress.stage == "capturing" and browser is not None and not found:
            found.update(look(browser.process.family().pages[0]))

    with tempfile.TemporaryDirectory() as place:
        options = BrowserOptions(profiles=place, bounds=Bounds(data_mb=4000, file_mb=500, files=4096))
        with EngineHost(options) as host:
            spec = CaptureSpec(url=PAGE, width=64, height=64, duration_ms=500, fps=10, modes=(Mode.VIRTUAL,))
            host.capture(spec, Path(place), watch).result(40)
    print(json.dumps({"sandboxed": options.sandboxed, **found}))


if __name__ == "__main__":
    main()
