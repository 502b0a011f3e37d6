"""A data directory as the first start makes it, made once for each state of the code and copied by every Stack.

It holds a migrated database with a token and the session of a member of staff, and the packed runtime that a bundle
worker would otherwise make and try in a browser at every start. Other test processes copy the migrated database without
these: migrating takes as much CPU as all the rest of a start.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("oven", "oven_site", "dashboard", "captures", "pins", "bakes", "bundles", "supervisor", "pieces")
DATABASE = "oven.sqlite3"
DATA = (DATABASE, "secret_key", "cache/bundles", "files")
KNOWN = "known.json"
UNPACKED = "unpacked.sqlite3"  # with the token and the session, without the packed runtime
KEPT_S = 24 * 3600  # other checkouts on this machine may be using theirs
EMPTY = "empty.sqlite3"  # migrated, and nothing else
MAKE = """
import shutil
from io import StringIO
from urllib.parse import urlsplit
from django.core.management import call_command
from django.test import Client
from django.db import connection
call_command("migrate", interactive=False, verbosity=0)
connection.close()
shutil.copy2(DATABASE, EMPTY)
call_command("token", "tests")
output = StringIO()
call_command("signin", stdout=output)
link = urlsplit(output.getvalue().strip())
client = Client(SERVER_NAME=link.hostname)
assert client.get(f"{link.path}?{link.query}").status_code == 302
print(client.cookies["sessionid"].value)
"""


@dataclass(frozen=True)
class Known:
    """What a copy knows: an API token, and the cookies of a browser in which `manage.py signin` was used."""

    token: str
    cookies: dict[str, str]


def fill(data: Path, packed: bool = True) -> Known | None:
    """Copy the prepared data into an empty directory. Return what they know; None when there are data already.

    `packed`: with the packed runtime of the demo pieces, which is of no use to who bundles from another tree.
    """
    if (data / DATABASE).exists():
        return None
    _copy(prepared(), data, DATA if packed else ("secret_key",))
    if not packed:
        shutil.copy2(prepared() / UNPACKED, data / DATABASE)
    return Known(**json.loads((prepared() / KNOWN).read_text()))


def _copy(source: Path, target: Path, names: Sequence[str] = DATA) -> None:
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, place)
        else:
            shutil.copy2(source / name, place)


@cache
def prepared() -> Path:
    """Return the directory that the copies come from: one for each state of the code, on this machine."""
    digest = hashlib.sha256(bytes(ROOT))  # the runtime's fingerprint has the paths of its files
    digest.update(Path(__file__).read_bytes())
    for path in sorted(path for folder in CODE for path in (ROOT / folder).rglob("*") if _is_source(path)):
        digest.update(path.read_bytes())
    place = Path(tempfile.gettempdir()) / f"oven-test-prepared-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    found = place / digest.hexdigest()[:24]
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _make(found)
    return found


def _is_source(path: Path) -> bool:
    return (
        path.suffix in (".py", ".mjs", ".js", ".lisp", ".html", ".css", ".json") and "node_modules" not in path.parts
    )


def _make(found: Path) -> None:
    for old in found.parent.iterdir():
        if old.is_dir() and time.time() - old.stat().st_mtime > KEPT_S:
            shutil.rmtree(old)
    with tempfile.TemporaryDirectory(dir=found.parent, prefix=".") as scratch:
        data = Path(scratch) / "data"
        ours = ("OVEN_", "ART_", "BLOBS_", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        env |= {"OVEN_DATA": str(data), "OVEN_NO_DOTENV": "1", "OVEN_CARD_EVERY_S": "0"}
        complete = Path(scratch) / "complete"
        complete.mkdir()
        names = f"DATABASE, EMPTY = {str(data / DATABASE)!r}, {str(complete / EMPTY)!r}"
        *_, token, session = _manage(env, "shell", "-v", "0", "-c", names + MAKE).strip().splitlines()
        cookies = {"sessionid": session, "csrftoken": secrets.token_hex(16)}
        (complete / KNOWN).write_text(json.dumps({"token": token, "cookies": cookies}))
        shutil.copy2(data / DATABASE, complete / UNPACKED)
        _pack_runtime(data, env)
        _copy(data, complete)
        complete.rename(found)  # whole or not at all


def _pack_runtime(data: Path, env: dict[str, str]) -> None:
    """Run a bundle worker until it has packed the runtime of the demo pieces and tried it in a browser."""
    command = [
        sys.executable,
        "-m",
        "supervisor",
        "--data",
        str(data),
        "--roles=valkey,bundle,light,scheduler",
    ]
    with (data / "start.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not _has_core(data):
            log_text = (data / "start.log").read_text(errors="replace")
            assert process.poll() is None and time.monotonic() < deadline, f"the runtime was not packed:\n{log_text}"
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _has_core(data: Path) -> bool:
    with closing(sqlite3.connect(f"file:{data / DATABASE}?mode=ro", uri=True, timeout=10)) as connection:
        return bool(connection.execute("select 1 from bundles_corebuild where state = 'complete'").fetchone())


def _manage(env: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
