"""The demo site as the engine bundles it: its tree, its programs, and how each piece is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bundles.engine.spec import BundleSpec, Picture, Program, SourceTree
from pieces.serve import catalog, kidlisp

ROOT = Path(__file__).resolve().parents[2]
TREE = SourceTree(ROOT / "pieces")
NOW = datetime(2026, 2, 13, 21, 5, 9, tzinfo=UTC)
PIECES = list(catalog())
PROGRAMS = [f"${code}" for code in kidlisp()]
HANGS = "loop"
# One piece for each way to draw and to behave.
WAYS = ["prompt", "prism", "tiles", "waves", "worker", "glass", "still", "never"]


class Programs:
    def fetch_source(self, code: str) -> Program | None:
        entry = kidlisp().get(code)
        return Program(entry["source"], entry["handle"]) if entry else None

    def fetch_image(self, code: str) -> Picture | None:
        return None


def spec_for(name: str, **fields: Any) -> BundleSpec:
    """A piece by its name, or a program by its code with the dollar."""
    if name.startswith("$"):
        return BundleSpec(NOW, code=name, programs=Programs(), **fields)
    if catalog()[name].get("transparent"):
        fields.setdefault("background", "transparent")
    return BundleSpec(NOW, piece=name, **fields)
