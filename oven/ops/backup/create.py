"""Taking a backup while Oven works.

Files first, then the database, then the files again. A row is written after its bytes are in place, so what the
database knows was there when it was saved: new files come with the second look, and one that was replaced or deleted
after the database was saved is still there from the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from oven.ops.backup import databases, files
from oven.ops.backup.manifest import SECRET, STORES, SUMS, BackupError, Manifest, local_stores, sums


def take(place: Path) -> Manifest:
    """Into a directory that is empty or not there yet. Raises BackupError and OSError."""
    local = local_stores()
    if inside := [name for name, directory in local.items() if place.is_relative_to(directory.resolve())]:
        raise BackupError(f"{place} lies in the {inside[0]} store: a backup would hold itself.")
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(place.iterdir()):
        raise BackupError(f"{place} is not empty: every backup needs a directory of its own.")
    taken_at = timezone.now().isoformat(timespec="seconds")
    _copy_new(local, place)
    with databases.saved(place) as rows:
        _write_sums(rows, set(local), place / SUMS)
    _copy_new(local, place)
    secret = Path(settings.OVEN_DATA) / SECRET
    if secret.exists():
        files.copy(secret, place / SECRET, private=True)
    manifest = Manifest(
        version=settings.VERSION,
        taken_at=taken_at,
        vendor=connection.vendor,
        migrations=migrations(),
        elsewhere=[name for name in STORES if name not in local],
        problems=list(_put_right(local, place)),
    )
    manifest.files, manifest.bytes = files.measure(place / "files")
    manifest.write(place)
    return manifest


def migrations() -> list[str]:
    """Those that are applied to the configured database."""
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


def _copy_new(local: dict[str, Path], place: Path) -> None:
    for name, directory in local.items():
        files.copy_new(directory, place / "files" / name)


def _write_sums(rows: Iterable[databases.Row], local: set[str], path: Path) -> None:
    with path.open("w") as file:
        file.writelines(f"{digest}  files/{store}/{key}\n" for store, key, digest in rows if store in local)


def _put_right(local: dict[str, Path], place: Path) -> Iterable[str]:
    """Reads every copy that has a row. One that was replaced meanwhile is copied anew; yields what is amiss."""
    for digest, path in sums(place):
        if files.digest(place / path) == digest:
            continue
        _, store, key = path.split("/", 2)
        try:
            found = files.copy(local[store] / key, place / path)
        except FileNotFoundError:
            yield f"{path}: is not there"
            continue
        if found != digest:
            yield f"{path}: is not what its row says"
