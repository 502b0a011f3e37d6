"""Restoring a backup into a data directory (and a database) that holds nothing yet."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from oven.events import publisher
from oven.jobs import lifecycle, registry
from oven.jobs.states import State
from oven.ops.backup import databases, files
from oven.ops.backup.manifest import SECRET, BackupError, Manifest, local_stores, sums

REASON = "Restored from a backup"


def restore(place: Path) -> Manifest:
    """Files first, the database last: one that was interrupted can be begun again. Raises BackupError and OSError.

    Afterwards the same rows wait as did then; what ran waits again, and loses no attempt. Messages for them are made
    by the sweep once Oven runs.
    """
    manifest = Manifest.read(place)
    umask = os.umask(0o077)  # what is kept is for this account alone
    lock = None
    try:
        lock = _lock()
        _refuse_unfit(manifest)
        problems = _copy_files(place)
        secret = place / SECRET
        if secret.exists():
            files.copy(secret, Path(settings.OVEN_DATA) / SECRET, private=True)
        databases.load(place)
        call_command("migrate", interactive=False, verbosity=0)
        hand_back()
    finally:
        os.umask(umask)
        if lock is not None:
            os.close(lock)
    manifest.problems = problems
    return manifest


def _lock() -> int:
    """Hold the supervisor's lock, so that no Oven starts on the data directory meanwhile. Return its descriptor."""
    path = Path(settings.OVEN_DATA) / "run" / "oven.lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        text = f"another Oven already runs on {settings.OVEN_DATA}; stop it, or choose another with --data DIR."
        raise BackupError(text) from None
    return lock


def _refuse_unfit(manifest: Manifest) -> None:
    if not databases.is_empty():
        where = "the one of DATABASE_URL" if connection.vendor != "sqlite" else str(connection.settings_dict["NAME"])
        raise BackupError(f"The database is not empty ({where}): restore into a new OVEN_DATA, or an empty database.")
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    ours = {name.split(".")[0] for name in known}
    newer = [name for name in manifest.migrations if name not in known and name.split(".")[0] in ours]
    if newer:
        raise BackupError(f"The backup is of a newer Oven ({manifest.version}): this one does not know {newer[0]}.")


def _copy_files(place: Path) -> list[str]:
    """Returns what is not as its row says."""
    local = local_stores()
    for name, directory in local.items():
        files.copy_new(place / "files" / name, directory)
    problems = []
    for digest, path in sums(place):
        _, store, key = path.split("/", 2)
        if store in local and files.digest(local[store] / key) != digest:
            problems.append(f"{path}: is not what its row says")
    return problems


def hand_back() -> None:
    """Rows that ran when the backup was taken have no worker."""
    for kind in registry.kinds():
        for job in kind.model._default_manager.filter(state=State.RUNNING):
            lifecycle.release(job, REASON)
        for job in kind.model._default_manager.filter(state=State.CANCELLING):
            lifecycle.confirm_cancelled(job)
    publisher.flush()
