"""The two named stores: `art` (grabs, icons, cards) and `blobs` (tapes). Files or S3, by settings."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db.models import Q, QuerySet

from oven.storage.models import Artifact

log = logging.getLogger(__name__)
CHUNK = 64 * 1024
T = TypeVar("T")
_protected: list[Callable[[], QuerySet[Artifact]]] = []


class StoreError(Exception):
    """The store is full, refuses or is out of reach."""


class _Movable(File):
    """A finished scratch file: the file system store renames it into place, so that no half of it is ever seen."""

    def temporary_file_path(self) -> str:
        return str(self.name)


def store_of(name: str) -> Storage:
    return storages[name]


def keep(path: Path, key: str, mime: str, store: str = "art", **facts: Any) -> Artifact:
    """Moves a finished file under its final key, then writes (or renews) its row. Raises StoreError."""
    size, sha256 = path.stat().st_size, digest(path)
    _save(path, key, store, mime)
    facts = {"mime": mime, "bytes": size, "sha256": sha256, **facts}
    artifact, _ = Artifact.objects.update_or_create(store=store, key=key, defaults=facts)
    return artifact


def keep_bytes(data: bytes, key: str, mime: str, store: str = "art") -> None:
    """A small side file (posters, last frames) without a row of its own. Raises StoreError."""
    content = ContentFile(data, name=key)
    content.content_type = mime  # type: ignore[attr-defined]
    with _store_errors():
        store_of(store).save(key, content)


def copy_out(artifact: Artifact, path: Path) -> None:
    """The bytes into a scratch file. Raises StoreError."""
    with _store_errors(), store_of(artifact.store).open(artifact.key) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, CHUNK)


def drop(artifact: Artifact) -> None:
    """Deletes the bytes, then the row."""
    with _store_errors():
        store_of(artifact.store).delete(artifact.key)
    artifact.delete()


def discard(keys: Iterable[str], store: str = "art") -> None:
    """Deletes files with their rows, those that there are. What the store refuses is left to the sweep."""
    gone = []
    for key in keys:
        try:
            drop_key(key, store)
        except StoreError as error:
            log.warning("%s not deleted: %s", key, error)
        else:
            gone.append(key)
    Artifact.objects.filter(store=store, key__in=gone).delete()


def drop_key(key: str, store: str = "art") -> None:
    with _store_errors():
        store_of(store).delete(key)


def size_of(key: str, store: str = "art") -> int | None:
    """Bytes of a file; None when it is not there, or the store is out of reach."""
    return _asked(lambda storage: storage.size(key), store)


def written_at(key: str, store: str = "art") -> datetime | None:
    """When a file was written, in UTC; None when it is not there, or the store is out of reach."""
    return _asked(lambda storage: storage.get_modified_time(key), store)


def _asked(question: Callable[[Storage], T], store: str) -> T | None:
    try:
        with _store_errors():
            return question(store_of(store))
    except StoreError:
        return None


def local_path(store: str, key: str) -> Path | None:
    """The file itself, where the store is a directory; None otherwise or when it is not there."""
    storage = store_of(store)
    if not isinstance(storage, FileSystemStorage):
        return None
    path = Path(storage.path(key))  # raises SuspiciousFileOperation outside of the store
    try:
        return path if path.is_file() else None
    except OSError:  # no file has so long a name
        return None


async def stream(store: str, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
    """Yield the bytes in pieces, never the whole file in memory. A small file takes one change of thread."""
    file, chunk, left = await sync_to_async(_begin)(store, key, start, length)
    try:
        while chunk:
            yield chunk
            if file is None:
                return
            chunk = await sync_to_async(file.read)(CHUNK if left is None else min(CHUNK, left))
            left = None if left is None else left - len(chunk)
    finally:
        if file is not None:
            await sync_to_async(file.close)()


def _begin(store: str, key: str, start: int, length: int | None) -> tuple[Any, bytes, int | None]:
    """Return the open file (None when it has been read to its end), its first piece, and what is left of `length`."""
    file = store_of(store).open(key)
    wanted = CHUNK if length is None else min(CHUNK, length)
    try:
        file.seek(start)
        chunk = file.read(wanted)
    except BaseException:
        file.close()
        raise
    if len(chunk) < CHUNK:
        file.close()
        return None, chunk, 0
    return file, chunk, None if length is None else length - len(chunk)


def _save(path: Path, key: str, store: str, mime: str) -> None:
    with _store_errors(), path.open("rb") as handle:
        content = _Movable(handle, name=str(path))
        content.content_type = mime  # type: ignore[attr-defined]
        store_of(store).save(key, content)


@contextlib.contextmanager
def _store_errors() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (OSError, BotoCoreError, ClientError) as error:
        raise StoreError(str(error)) from error


def digest(path: Path) -> str:
    """SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def protect(rows: Callable[[], QuerySet[Artifact]]) -> None:
    """Register artifacts that must not be deleted when they expire. `rows` is called for every use."""
    _protected.append(rows)


def protected() -> QuerySet[Artifact]:
    """Return the artifacts that must not be deleted when they expire, those of all apps."""
    found = Q(pk__in=())
    for rows in _protected:
        found |= Q(pk__in=rows().values("pk"))
    return Artifact.objects.filter(found)


def expired(now: datetime) -> QuerySet[Artifact]:
    """Return the artifacts that have expired and may be deleted."""
    return Artifact.objects.filter(expires_at__lte=now).exclude(pk__in=protected())
