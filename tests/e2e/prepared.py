"""A database as the first start makes it, made once for each state of the code and copied by every test process.

Every Stack gets a copy with a token, every other test process one without. Migrating takes as much CPU as all the rest
of a start.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("oven_site", "captures", "bakes", "bundles")
KEPT = ("oven.sqlite3", "secret_key")
KEPT_S = 24 * 3600  # other checkouts on this machine may be using theirs
EMPTY = "empty.sqlite3"  # migrated, and nothing else


def fill(data: Path) -> str:
    """Gives an empty data directory its database. Returns a token that it knows; none when it has one already."""
    if (data / KEPT[0]).exists():
        return ""
    data.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copy2(prepared() / name, data / name)
    return (prepared() / "token").read_text()


@cache
def prepared() -> Path:
    """Where the copies come from: one for each state of the code, on this machine."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.read_bytes())
    place = Path(tempfile.gettempdir()) / f"oven-test-prepared-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    found = place / digest.hexdigest()[:24]
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _make(found)
    return found


def _make(found: Path) -> None:
    for old in found.parent.iterdir():
        if old.is_dir() and time.time() - old.stat().st_mtime > KEPT_S:
            shutil.rmtree(old)
    with tempfile.TemporaryDirectory(dir=found.parent, prefix=".") as scratch:
        ours = ("OVEN_", "ART_", "BLOBS_", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        env |= {"OVEN_DATA": scratch, "OVEN_NO_DOTENV": "1"}
        _manage(env, "migrate", "--noinput")
        shutil.copy2(Path(scratch) / KEPT[0], Path(scratch) / EMPTY)
        token = _manage(env, "token", "tests").strip().splitlines()[-1]
        (Path(scratch) / "token").write_text(token)
        complete = shutil.copytree(scratch, f"{scratch}-complete")
        Path(complete).rename(found)  # whole or not at all


def _manage(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
