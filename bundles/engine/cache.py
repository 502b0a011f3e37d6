"""What has been made once, on disk: content-addressed, so that an entry is right or not there."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)
DIGEST_BYTES = hashlib.sha256().digest_size


class Store:
    """Entries by key (lowercase hex) in a folder. Of more than `keep`, the least recently used go.

    An entry appears whole or not at all, and is checked when it is read: what a crash left behind counts as absent.
    Storing never fails a build: a full disk only means that the work is done again.
    """

    def __init__(self, root: Path, keep: int) -> None:
        self.root, self.keep = root, keep
        self._added = 0

    def get(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        digest, body = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            log.warning("a damaged cache entry is dropped: %s", key)
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return body

    def put(self, key: str, body: bytes) -> None:
        try:
            self._write(self._path(key), hashlib.sha256(body).digest() + body)
        except OSError as error:
            log.warning("a cache entry could not be stored: %s", error.strerror)
            return
        self._added += 1
        if self._added > self.keep // 10:
            self.prune()

    def prune(self) -> None:
        """Removes the least recently used of too many entries."""
        self._added = 0
        entries = sorted(self._entries(), key=lambda pair: pair[0], reverse=True)
        for _, path in entries[self.keep :]:
            path.unlink(missing_ok=True)

    def keys(self) -> list[str]:
        """The most recently used first."""
        return [path.name for _, path in sorted(self._entries(), key=lambda pair: pair[0], reverse=True)]

    def _entries(self) -> list[tuple[int, Path]]:
        found = []
        for path in self.root.glob("??/*"):
            with contextlib.suppress(OSError):
                found.append((path.stat().st_mtime_ns, path))
        return found

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / key

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".part-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def digest(*parts: str | bytes) -> str:
    """SHA-256 over the parts, each with its length, so that no two lists of parts are alike."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(len(data).to_bytes(8, "big"))
        found.update(data)
    return found.hexdigest()
