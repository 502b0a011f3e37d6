"""Files of the stores, there and back: copied whole or not at all, with their digests."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20
PART = ".oven-part"


def copy(source: Path, target: Path, *, private: bool = False) -> str:
    """Copies a file with its times under its final name once it is whole; its SHA-256. Raises OSError.

    Its mode is that of the source; a `private` file is for its owner alone from the first byte.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + PART)
    digest = hashlib.sha256()
    try:
        part.unlink(missing_ok=True)
        with source.open("rb") as reading, open(part, "xb", opener=_for_owner) as writing:
            while chunk := reading.read(CHUNK):
                digest.update(chunk)
                writing.write(chunk)
        if private:
            times = source.stat()
            os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
        else:
            shutil.copystat(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest()


def _for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def copy_new(source: Path, target: Path) -> None:
    """What is in one directory and not in the other. What is deleted meanwhile is not wanted any more."""
    for path in walk(source):
        copied = target / path.relative_to(source)
        if not copied.exists():
            with contextlib.suppress(FileNotFoundError):
                copy(path, copied)


def walk(place: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(place):
        yield from (Path(folder, name) for name in names if not name.endswith(PART))


def digest(path: Path) -> str:
    """SHA-256 in hex; empty when it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def measure(place: Path) -> tuple[int, int]:
    """Files below a directory, and their bytes."""
    sizes = [path.stat().st_size for path in walk(place)]
    return len(sizes), sum(sizes)
