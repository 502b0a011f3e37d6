"""Files in the stores that nobody needs: left by a machine that died between the bytes, their row, and its job's end.

Either no row names the file, or it has a row of its own that no other row refers to.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.files.storage import FileSystemStorage, Storage
from django.db.models import Exists, OuterRef
from django.utils import timezone

from oven.jobs import registry
from oven.ops.retention import files
from oven.ops.retention.models import Leftover
from oven.ops.retention.references import ART, relations, used_keys
from oven.storage import stores
from oven.storage.models import Artifact

log = logging.getLogger(__name__)
STORES = ("art", "blobs")
YOUNG, SLACK = timedelta(days=1), timedelta(days=1)
CHUNK = 500


def find(store: str, under: str = "", older: timedelta | None = None) -> Iterator[Leftover]:
    """Unnamed files of a store that are older than a day (or `older`), with their bytes. Nothing is written."""
    moment = timezone.now() - (YOUNG if older is None else older)
    for prefix in [under] if under else places(store):
        yield from _unnamed(store, _walk(stores.store_of(store), prefix.strip("/")), moment)


def sweep(store: str, older: timedelta | None = None) -> int:
    """Deletes the files of a store that nobody needs, with their rows. Returns how many."""
    age = YOUNG if older is None else older
    dropped = sum(map(drop, unpublished(age, store=store)))
    return dropped + sum(len(files.drop([file])) for file in find(store, older=age))


def drop_unpublished() -> int:
    """What housekeeping does of it: rows that became a day old since yesterday, so that no store and no long list has
    to be walked through. Only files that Oven itself has written a row for: a bucket may hold more.
    """
    since = timezone.now() - YOUNG - SLACK
    return sum(map(drop, unpublished(YOUNG, created_at__gte=since)))


def unpublished(older: timedelta, **only: Any) -> Iterator[Artifact]:
    """Files with a row that no other row refers to: of attempts that were lost before they could publish them."""
    found = Artifact.objects.filter(created_at__lt=timezone.now() - older, **only)
    for rel in relations(Artifact):
        own = rel.related_model._base_manager.filter(**{rel.field.attname: OuterRef("pk")})
        found = found.exclude(Exists(own.order_by()))
    for artifact in found.order_by("pk").iterator():
        if artifact.store != ART or not used_keys([artifact.key]):
            yield artifact


def drop(artifact: Artifact) -> bool:
    """False when the store refuses: it will be tried again."""
    try:
        stores.drop(artifact)
    except stores.StoreError as error:
        log.warning("%s not deleted, will be tried again: %s", artifact, error)
        return False
    return True


def places(store: str) -> list[str]:
    """Where to look: a directory of Oven's own as a whole; in a bucket, which may hold more, only Oven's prefixes."""
    if isinstance(stores.store_of(store), FileSystemStorage):
        return [""]
    named = [place.split(":", 1) for kind in registry.kinds() for place in kind.storage_prefixes]
    return list(dict.fromkeys(prefix for name, prefix in named if name == store))


def _walk(storage: Storage, place: str) -> Iterator[str]:
    """Keys of all files below a place; none when there is no such place."""
    try:
        folders, names = storage.listdir(place)
    except FileNotFoundError:
        return
    for name in names:
        yield f"{place}/{name}".lstrip("/")
    for folder in folders:
        yield from _walk(storage, f"{place}/{folder}".lstrip("/"))


def _unnamed(store: str, keys: Iterable[str], moment: datetime) -> Iterator[Leftover]:
    chunk: list[str] = []
    for key in keys:
        chunk.append(key)
        if len(chunk) == CHUNK:
            yield from _of_chunk(store, chunk, moment)
            chunk = []
    yield from _of_chunk(store, chunk, moment)


def _of_chunk(store: str, keys: list[str], moment: datetime) -> Iterator[Leftover]:
    named = set(Artifact.objects.filter(store=store, key__in=keys).values_list("key", flat=True))
    named |= set(Leftover.objects.filter(store=store, key__in=keys).values_list("key", flat=True))
    if store == ART:
        named |= used_keys(keys)
    for key in keys:
        if key and key not in named and _older(store, key, moment):
            yield Leftover(store=store, key=key, bytes=stores.size_of(key, store) or 0)


def _older(store: str, key: str, moment: datetime) -> bool:
    written = stores.written_at(key, store)
    return written is not None and written < moment
