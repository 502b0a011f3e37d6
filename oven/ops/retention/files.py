"""Sizes and deletions of files in the stores: many at once where each is a request to another machine."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.core.files.storage import FileSystemStorage

from oven.ops.retention.models import Leftover
from oven.ops.retention.references import ART, used_keys
from oven.storage import stores
from oven.storage.models import Artifact

log = logging.getLogger(__name__)
AT_ONCE = 8
T = TypeVar("T")


def measure(files: Iterable[Leftover]) -> None:
    """Fills in the bytes that are not known; 0 for a file that is not there."""

    def look(file: Leftover) -> None:
        file.bytes = stores.size_of(file.key, file.store) or 0

    _each(look, [file for file in files if file.bytes is None])


def drop(files: Iterable[Leftover]) -> list[Leftover]:
    """Deletes files, then their rows. Returns what is gone; what a store refuses keeps its row for the next time."""

    def delete(file: Leftover) -> bool:
        try:
            stores.drop_key(file.key, file.store)
        except stores.StoreError as error:
            log.warning("%s not deleted, will be tried again: %s", file, error)
            return False
        return True

    files = list(files)
    gone = [file for file, done in zip(files, _each(delete, files), strict=True) if done]
    Leftover.objects.filter(pk__in=[file.pk for file in gone]).delete()
    return gone


def unwanted(files: Iterable[Leftover]) -> list[Leftover]:
    """Those of an earlier run that may still be dropped: nobody names them again or has written them anew."""
    files = list(files)
    named = used_keys({file.key for file in files if file.store == ART})
    stored = set(Artifact.objects.filter(key__in=[file.key for file in files]).values_list("store", "key"))
    return [file for file in files if not _taken_up(file, named, stored)]


def _taken_up(file: Leftover, named: set[str], stored: set[tuple[str, str]]) -> bool:
    if (file.store == ART and file.key in named) or (file.store, file.key) in stored:
        return True
    written = stores.written_at(file.key, file.store)
    return written is not None and written > file.made_at


def _each(call: Callable[[Leftover], T], files: list[Leftover]) -> list[T]:
    """In order. Local files are quicker without threads."""
    if all(isinstance(stores.store_of(name), FileSystemStorage) for name in {file.store for file in files}):
        return [call(file) for file in files]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(call, files))
