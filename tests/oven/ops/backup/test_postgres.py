"""The same with PostgreSQL: saved by `pg_dump` while a transaction is open, restored into another database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

POSTGRES_USER = "postgres"  # the server refuses to run as root
PROGRAMS = ("initdb", "pg_ctl", "pg_dump", "pg_restore", "createdb")
# A process for each side. Its tables are made in one step, and all migrations said to be done: each of them takes
# 100 ms, and tests/chaos has an Oven that makes its database on PostgreSQL by them.
SAVE = """
from pathlib import Path
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from captures.models import Grab
from oven.storage import stores
settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
call_command("migrate", interactive=False, verbosity=0, run_syncdb=True)
settings.MIGRATION_MODULES = {}
call_command("migrate", interactive=False, verbosity=0, fake=True)
for number in range(3):
    made = Path(__import__("tempfile").mkdtemp()) / "made"
    made.write_bytes(b"picture %d" % number)
    stores.keep(made, f"oven/grabs/{number}.png", "image/png")
common = {"format": "png", "out_width": 1, "out_height": 1, "worker": "gone:1:1"}
for state in ("queued", "running"):
    Grab.objects.create(public_id=state, capture_key=state, piece=state, state=state, attempt=state == "running", **common)
call_command("backup", BACKUP)
"""
RESTORE = """
from django.core.management import call_command
call_command("restore", BACKUP)
from captures.models import Grab
from oven.storage import stores
from oven.storage.models import Artifact
rows = Artifact.objects.order_by("key")
print([stores.digest(stores.local_path(row.store, row.key)) == row.sha256 for row in rows], *sorted(Grab.objects.values_list("piece", "state")))
"""


def program(name: str) -> str:
    """Debian keeps the server's programs out of the way."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else "")


def as_postgres(*command: str) -> None:
    words = [program(command[0]), *command[1:]]
    if os.geteuid() == 0:
        words = ["runuser", "-u", POSTGRES_USER, "--", *words]
    subprocess.run(words, cwd="/", stdout=subprocess.DEVNULL, check=True)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a server of this test's own; a database's name is to follow."""
    if not all(map(program, PROGRAMS)):
        pytest.skip("no PostgreSQL here")
    home = Path(os.environ.get("TMPDIR", "/tmp")) / f"oven-pg-{os.getpid()}"  # every user can reach it
    home.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(home, POSTGRES_USER)
    data = str(home / "data")
    as_postgres("initdb", "-D", data, "-U", "oven", "-A", "trust", "-E", "UTF8", "--no-sync")
    as_postgres(
        "pg_ctl", "-D", data, "-w", "-l", f"{data}/log", "-o", f"-k {home} -c listen_addresses='' -F", "start"
    )
    try:
        for name in ("first", "second"):
            as_postgres("createdb", "-h", str(home), "-U", "oven", name)
        yield f"postgres://oven@/{{}}?host={home}"
    finally:
        as_postgres("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(home)


def manage(data: Path, database: str, *words: str) -> str:
    given = {key: value for key, value in os.environ.items() if key not in ("REDIS_URL", "DJANGO_SETTINGS_MODULE")}
    env = {**given, "OVEN_DATA": str(data), "DATABASE_URL": database}
    run = [sys.executable, "manage.py", *words]
    done = subprocess.run(
        run, cwd=settings.BASE_DIR, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_postgresql_is_backed_up_and_restored(address: str, tmp_path: Path) -> None:
    first, second = address.format("first"), address.format("second")
    place = tmp_path / "backup"
    backup = f"BACKUP = {str(place)!r}\n"
    assert "postgresql database, 3 files" in manage(tmp_path / "one", first, "shell", "-c", backup + SAVE)
    assert (place / "database.dump").exists()
    seen = manage(tmp_path / "two", second, "shell", "-c", backup + RESTORE).strip().splitlines()[-1]
    assert seen == "[True, True, True] ('queued', 'queued') ('running', 'queued')"
