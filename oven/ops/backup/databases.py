"""The database as of one moment, into a file and back, while others go on writing. SQLite and PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from django.db import connection, transaction

from oven.ops.backup.manifest import BackupError

Row = tuple[str, str, str]  # of a stored file: store, key, SHA-256
ROWS = "SELECT store, key, sha256 FROM artifacts_artifact ORDER BY id"
SQLITE, DUMP = "database.sqlite3", "database.dump"


@contextmanager
def saved(place: Path) -> Iterator[Iterable[Row]]:
    """Saves the database into `place`; yields the stored files that it knows at that moment. Raises BackupError."""
    if connection.vendor == "sqlite":
        _save_sqlite(place / SQLITE)
        with closing(sqlite3.connect(f"file:{place / SQLITE}?mode=ro", uri=True)) as copy:
            yield copy.execute(ROWS)
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor, connection.chunked_cursor() as rows:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SELECT pg_export_snapshot()")
            moment = f"--snapshot={cursor.fetchone()[0]}"
            _run("pg_dump", "--format=custom", "--no-owner", moment, f"--file={place / DUMP}")
            rows.execute(ROWS)
            yield rows
    else:
        raise BackupError(f"Backups of {connection.vendor} have to be made by its own means.")


def _save_sqlite(path: Path) -> None:
    """In one step: in several it would begin anew with every write of somebody else."""
    connection.ensure_connection()
    with closing(sqlite3.connect(path)) as copy:
        connection.connection.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, wherever it is copied


def load(place: Path) -> None:
    """Into the configured database, which must be empty. Raises BackupError."""
    vendor = "sqlite" if (place / SQLITE).exists() else "postgresql"
    if vendor != connection.vendor:
        raise BackupError(f"The backup is of {vendor}, but DATABASE_URL names {connection.vendor}.")
    if vendor == "sqlite":
        _load_sqlite(place / SQLITE)
    else:
        _run("pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", *_into(), str(place / DUMP))
    connection.close()


def _load_sqlite(path: Path) -> None:
    connection.ensure_connection()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as copy:
        copy.backup(connection.connection)


def is_empty() -> bool:
    return not connection.introspection.table_names()


def _into() -> list[str]:
    return [f"--dbname={connection.settings_dict['NAME']}"]


def _run(*command: str) -> None:
    """One of PostgreSQL's own programs. The password goes by the environment: others can see command lines."""
    given = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    env = {**os.environ, **{name: str(given[key]) for name, key in names.items() if given.get(key)}}
    if host := given.get("OPTIONS", {}).get("host"):
        env["PGHOST"] = str(host)
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BackupError(f"{command[0]} is missing here: it comes with PostgreSQL's client programs.") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise BackupError(f"{command[0]}: {said[0]}")
