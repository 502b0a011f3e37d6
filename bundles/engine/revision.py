"""Which revision of its git repository a source tree is."""

from __future__ import annotations

import subprocess
from pathlib import Path

UNKNOWN = "unknown"
LIMIT_S = 10


def revision(root: Path) -> str:
    """The short hash, with " (dirty)" when the tree's files differ from it; "unknown" outside of a repository."""
    found = _git(root, "rev-parse", "--short", "HEAD")
    if not found:
        return UNKNOWN
    changed = _git(root, "status", "--porcelain", "--", ".")
    return f"{found} (dirty)" if changed else found


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
