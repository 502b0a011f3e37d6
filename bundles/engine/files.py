"""The files of a source tree: read within its root and its limits, remembered to see later whether they changed."""

from __future__ import annotations

import os
import re
import stat
from functools import cache
from pathlib import Path

from bundles.engine.errors import BundleError, ErrorCode
from bundles.engine.spec import SourceTree

SCRIPTS = {".js", ".mjs", ".cjs", ""}
TEXTS = {".json", ".css", ".svg", ".txt", ".html", ".lisp", ".glsl", ".vert", ".frag", ".csv", ".xml", ".md", ".bdf"}
MOST_MATCHES = 2_000
Signature = tuple[int, ...]


def suffix(path: str) -> str:
    """The extension with its dot, in lower case; empty where there is none."""
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def is_script(path: str) -> bool:
    return suffix(path) in SCRIPTS


def is_text(path: str) -> bool:
    return suffix(path) in TEXTS or is_script(path)


class Files:
    """One look at a tree. `seen` says what every path asked for was like; None: no such file."""

    def __init__(self, tree: SourceTree) -> None:
        self.tree = tree
        self.root = Path(os.path.realpath(tree.root))
        self.seen: dict[str, Signature | None] = {}
        self.matched: dict[str, tuple[str, ...]] = {}
        self.bytes = 0
        self._inside = f"{self.root}/"
        self._folder = cache(os.path.realpath)
        self._reals: dict[str, str] = {}
        if not self.root.is_dir():
            raise BundleError(ErrorCode.NO_SOURCES, "The source tree is not there.")

    def exists(self, path: str) -> bool:
        """Whether there is such a file. Raises BundleError(OUTSIDE_TREE) for a link that leads out."""
        if path not in self.seen:
            self.seen[path] = self._signature(path)
        return self.seen[path] is not None

    def read(self, path: str) -> bytes:
        """Raises BundleError OUTSIDE_TREE, UNREADABLE or TOO_LARGE."""
        self.exists(path)  # remembers what it is like before it is read
        limits = self.tree.limits
        try:
            handle = os.open(self._real(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
            with open(handle, "rb") as file:
                data = file.read(limits.file_bytes + 1)
        except OSError as error:
            raise BundleError(ErrorCode.UNREADABLE, f"{path} cannot be read: {error.strerror}", file=path) from None
        self.bytes += len(data)
        if len(data) > limits.file_bytes:
            raise BundleError(ErrorCode.TOO_LARGE, f"{path} is larger than {limits.file_bytes} bytes", file=path)
        if self.bytes > limits.total_bytes:
            raise BundleError(ErrorCode.TOO_LARGE, f"The files are larger than {limits.total_bytes} bytes together")
        return data

    def read_text(self, path: str) -> str:
        """Raises BundleError(UNREADABLE) for what is not UTF-8, too."""
        try:
            return self.read(path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            message = f"{path} is not text: byte {error.start} is not UTF-8"
            raise BundleError(ErrorCode.UNREADABLE, message, file=path) from None

    def match(self, pattern: str) -> tuple[str, ...]:
        """The files that a pattern names, in order; `*` stays within a folder, `**` does not."""
        if pattern not in self.matched:
            self.matched[pattern] = self._match(pattern)
        return self.matched[pattern]

    def unchanged(self) -> bool:
        """Whether every path that was asked for still is as it was."""
        try:
            root = str(self.tree.root)
            same = all(_signature(f"{root}/{path}") == was for path, was in self.seen.items())
            return same and all(self._match(pattern) == were for pattern, were in self.matched.items())
        except BundleError:
            return False

    def _match(self, pattern: str) -> tuple[str, ...]:
        if not pattern or ".." in pattern.split("/") or pattern.startswith("/"):
            return ()
        found = []
        for path in self.root.glob(pattern):
            name = path.relative_to(self.root).as_posix()
            if path.is_file() and self._signature(name) is not None:
                found.append(name)
            if len(found) > MOST_MATCHES:
                raise BundleError(ErrorCode.TOO_LARGE, f"More than {MOST_MATCHES} files match {pattern}")
        return tuple(sorted(found))

    def _signature(self, path: str) -> Signature | None:
        try:
            real = self._real(path)
        except (OSError, ValueError):  # a NUL in the name
            return None
        return _signature(real)

    def _real(self, path: str) -> str:
        """Where the file really is, links followed; within the root in any case."""
        if path not in self._reals:
            self._reals[path] = self._resolve(path)
        return self._reals[path]

    def _resolve(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        real = f"{self._folder(self._inside + folder)}/{name}"
        if stat.S_ISLNK(os.lstat(real).st_mode):
            real = os.path.realpath(real)
        if not real.startswith(self._inside):
            raise BundleError(ErrorCode.OUTSIDE_TREE, f"{path} leads out of the source tree", file=path)
        return real


def _signature(path: str) -> Signature | None:
    """Tells a file from every other, and from what it was before it was written to. Of plain files only."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def escape_pattern(text: str) -> str:
    """A path with stars from an import's template, as a pattern that takes nothing else for special."""
    return re.sub(r"[\[?]", lambda mark: f"[{mark[0]}]", re.sub(r"\*+", "*", text))
