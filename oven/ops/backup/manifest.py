"""What a backup is: a directory with the database, the files, and what is needed to tell whether all is there.

database.sqlite3 or database.dump   as of one moment
files/<store>/<key>                 of the stores that are directories; a bucket keeps its own
SHA256SUMS                          every file that the database has a row of, as `sha256sum -c` reads it
secret_key                          what sessions and links are signed with, if Oven has made it itself
manifest.json                       written last: without it the backup is not whole
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.core.files.storage import FileSystemStorage

from oven.storage import stores

FORMAT = 1
STORES = ("art", "blobs")
SUMS, MANIFEST, SECRET = "SHA256SUMS", "manifest.json", "secret_key"


class BackupError(Exception):
    """It cannot be taken or restored; the message says why, and what to do."""


@dataclass
class Manifest:
    """`migrations` are those applied, "app.name"; `elsewhere` names stores whose files stay where they are."""

    version: str
    taken_at: str
    vendor: str
    migrations: list[str]
    elsewhere: list[str]
    files: int = 0
    bytes: int = 0
    problems: list[str] = field(default_factory=list)  # files that are not as their rows say
    format: int = FORMAT

    def write(self, place: Path) -> None:
        (place / MANIFEST).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, place: Path) -> Manifest:
        """Raises BackupError."""
        try:
            found = cls(**json.loads((place / MANIFEST).read_text()))
        except FileNotFoundError:
            raise BackupError(f"{place} holds no whole backup: it has no {MANIFEST}.") from None
        except (ValueError, TypeError):
            raise BackupError(f"{place / MANIFEST} is not what this version of Oven writes.") from None
        if found.format != FORMAT:
            raise BackupError(f"The backup has the format {found.format}; this version of Oven knows {FORMAT}.")
        return found


def local_stores() -> dict[str, Path]:
    """Directories of the stores that are directories, by name."""
    found = ((name, stores.store_of(name)) for name in STORES)
    return {name: Path(store.location) for name, store in found if isinstance(store, FileSystemStorage)}


def sums(place: Path) -> Iterator[tuple[str, str]]:
    """Digest and path (files/<store>/<key>) of every file that the database has a row of."""
    with (place / SUMS).open() as lines:
        for line in lines:
            digest, _, path = line.rstrip("\n").partition("  ")
            yield digest, path
