"""Many small things that have been made once, in one file: hundreds of modules are stored and found in a moment."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")

TABLE = "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, used INTEGER, body BLOB) WITHOUT ROWID"
AT_ONCE = 500  # keys in one question
FRESH_S = 24 * 3600  # so long an entry counts as just used
WAIT_S = 10.0  # for another process that writes


class Shelf:
    """Entries by key in a database; of more than `keep`, the least recently used go. Several processes may share it.

    What is put is kept in memory until `flush`, which stores all of it or nothing. No failure here fails a build: a
    full disk or a damaged file only means that work is done again.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self.path, self.keep = path, keep
        self._new: dict[str, bytes] = {}
        self._database: sqlite3.Connection | None = None

    def get(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Those of the entries that are there."""
        wanted = list(keys)
        found = {key: self._new[key] for key in wanted if key in self._new}
        for some in _slices([key for key in wanted if key not in found]):
            found.update(self._try(lambda database, some=some: self._select(database, some)) or {})
        return found

    def put(self, key: str, body: bytes) -> None:
        self._new[key] = body

    def forget(self) -> None:
        """Drops what was put and not yet stored."""
        self._new.clear()

    def flush(self) -> None:
        """Stores what was put."""
        if self._new:
            self._try(self._insert)
        self._new.clear()

    def close(self) -> None:
        self.flush()
        if self._database is not None:
            self._database.close()
            self._database = None

    def _select(self, database: sqlite3.Connection, keys: list[str]) -> dict[str, bytes]:
        marks = ",".join("?" * len(keys))
        rows = database.execute(f"SELECT key, used, body FROM entries WHERE key IN ({marks})", keys).fetchall()  # nosec B608
        now = int(time.time())
        stale = [(now, key) for key, used, _ in rows if used < now - FRESH_S]
        if stale:
            with database:
                database.executemany("UPDATE entries SET used = ? WHERE key = ?", stale)
        return {key: body for key, _, body in rows}

    def _insert(self, database: sqlite3.Connection) -> None:
        now = int(time.time())
        with database:
            rows = [(key, now, body) for key, body in self._new.items()]
            database.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)
            count = database.execute("SELECT count(*) FROM entries").fetchone()[0]
            if count > self.keep:
                oldest = "SELECT key FROM entries ORDER BY used, key LIMIT ?"
                database.execute(f"DELETE FROM entries WHERE key IN ({oldest})", (count - self.keep,))  # nosec B608

    def _try(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        try:
            return work(self._open())
        except (sqlite3.Error, OSError) as error:
            log.warning("the cache of modules cannot be used: %s", error)
            self._give_up(
                isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            )
            return None

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self.path, timeout=WAIT_S, check_same_thread=False)
            try:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = NORMAL")
                database.execute(TABLE)
            except sqlite3.Error:
                database.close()
                raise
            self._database = database
        return self._database

    def _give_up(self, damaged: bool) -> None:
        """Starts afresh with the next request; a damaged file goes."""
        with contextlib.suppress(sqlite3.Error):
            if self._database is not None:
                self._database.close()
        self._database = None
        if damaged:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)


def _slices(keys: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(keys), AT_ONCE):
        yield keys[at : at + AT_ONCE]
