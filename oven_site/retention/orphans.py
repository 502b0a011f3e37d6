"""Files in the stores that no row names: left by a machine that died between the bytes and the row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.core.files.storage import FileSystemStorage, Storage
from django.utils import timezone

from oven_site.artifacts import stores
from oven_site.artifacts.models import Artifact
from oven_site.jobs import registry
from oven_site.retention.marks import Gone
from oven_site.retention.models import Leftover
from oven_site.retention.references import ART, used_keys

STORES = ("art", "blobs")
YOUNG = timedelta(days=1)
CHUNK = 500


def find(store: str, under: str = "") -> Iterator[Leftover]:
    """Unnamed files of a store that are older than a day, with their bytes. Nothing is written."""
    for prefix in [under] if under else places(store):
        yield from _unnamed(store, _walk(stores.store_of(store), prefix.strip("/")))


def places(store: str) -> list[str]:
    """Where to look: a directory of Oven's own as a whole; in a bucket, which may hold more, only Oven's prefixes."""
    if isinstance(stores.store_of(store), FileSystemStorage):
        return [""]
    named = [place.split(":", 1) for kind in registry.kinds() for place in kind.places]
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


def _unnamed(store: str, keys: Iterable[str]) -> Iterator[Leftover]:
    chunk: list[str] = []
    for key in keys:
        chunk.append(key)
        if len(chunk) == CHUNK:
            yield from _of_chunk(store, chunk)
            chunk = []
    yield from _of_chunk(store, chunk)


def _of_chunk(store: str, keys: list[str]) -> Iterator[Leftover]:
    named = set(Artifact.objects.filter(store=store, key__in=keys).values_list("key", flat=True))
    named |= set(Leftover.objects.filter(store=store, key__in=keys).values_list("key", flat=True))
    if store == ART:
        named |= used_keys(keys, {}, Gone())
    old = timezone.now() - YOUNG
    for key in keys:
        if key and key not in named and _older(store, key, old):
            yield Leftover(store=store, key=key, bytes=stores.size_of(key, store) or 0)


def _older(store: str, key: str, moment: datetime) -> bool:
    written = stores.written_at(key, store)
    return written is not None and written < moment
