"""The version, as the change log says it, so that a release cannot forget its notes."""

from __future__ import annotations

import re
from pathlib import Path

CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"


def read_version(text: str) -> str:
    """The newest version heading (`## 0.1.0 - 2026-11-22`) of a change log; "0" when it has none."""
    found = re.search(r"^## v?(\d+\.\d+\.\d+)", text, re.MULTILINE)
    return found.group(1) if found else "0"


VERSION = read_version(CHANGELOG.read_text())
