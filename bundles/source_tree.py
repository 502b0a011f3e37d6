"""The source tree that this installation bundles from: where it is, which version it is, whether it has changed."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from bundles.engine.revision import revision
from bundles.engine.spec import SiteShape, SourceTree


def source_tree(root: Path | None = None) -> SourceTree:
    """As the settings describe it; `root` instead of the configured folder."""
    return SourceTree(
        root=root or Path(settings.OVEN_BUNDLE_SOURCE),
        seeds=tuple(settings.OVEN_BUNDLE_SEEDS),
        boot=settings.OVEN_BUNDLE_BOOT,
        include=tuple(settings.OVEN_BUNDLE_INCLUDE),
        pieces=settings.OVEN_BUNDLE_PIECES,
        program_module=settings.OVEN_BUNDLE_PROGRAM_MODULE,
        origins=(settings.OVEN_PIECE_ORIGIN,),
    )


def site_shape() -> SiteShape:
    return SiteShape(prefix=settings.OVEN_BUNDLE_PREFIX)


def version(root: Path | None = None) -> str:
    """The configured one, else the tree's git revision, else "unknown"."""
    configured = str(settings.OVEN_VERSION)
    if configured and configured != "unknown":
        return configured
    return revision(root or Path(settings.OVEN_BUNDLE_SOURCE))


def fingerprint(root: Path | None = None) -> str:
    """Of names, sizes and times of all files: cheap, and different whenever something was changed. Empty: no tree."""
    root = root or Path(settings.OVEN_BUNDLE_SOURCE)
    found = hashlib.sha256()
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
        for name in sorted(names):
            try:
                stat = Path(folder, name).stat()
            except OSError:
                continue
            found.update(f"{folder}/{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
            count += 1
    found.update(_shape().encode())
    return found.hexdigest() if count else ""


@lru_cache(maxsize=1)
def _shape() -> str:
    """What else decides what the runtime is."""
    return repr(
        (settings.OVEN_BUNDLE_SEEDS, settings.OVEN_BUNDLE_BOOT, settings.OVEN_BUNDLE_INCLUDE, settings.VERSION)
    )
