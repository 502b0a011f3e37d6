"""Libraries that nobody here wrote, from npm, for tests and benchmarks.

They are installed once, into the user's cache, by a lock file: that of the bundle engine's lies beside this module.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def installed(folder: Path = HERE) -> Path:
    """Return the `node_modules` of a folder with `package.json` and its lock file.

    Raises RuntimeError when npm is missing or cannot install them.
    """
    lock = (folder / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oven-tests"
    home = cache / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not home.is_dir():
        _install(folder, home)
    return home / "node_modules"


def _install(folder: Path, home: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is needed to fetch the libraries of these tests: install Node.js with npm.")
    home.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".npm-", dir=home.parent))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(folder / name, scratch)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(scratch, ignore_errors=True)
        raise RuntimeError(f"npm could not fetch the libraries of these tests:\n{done.stderr[-2000:]}")
    with contextlib.suppress(OSError):  # somebody else was faster
        scratch.rename(home)
    shutil.rmtree(scratch, ignore_errors=True)


def copy_into(root: Path, *folders: str) -> None:
    """Puts folders of `node_modules` below `root/npm`, as links to the same files where that works."""
    source = installed()
    for folder in folders:
        shutil.copytree(source / folder, root / "npm" / folder, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
