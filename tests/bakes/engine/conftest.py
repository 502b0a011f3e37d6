"""Bakes a tape into the test's own directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bakes.engine.bake import bake
from bakes.engine.spec import BakeResult, BakeSpec

Bake = Callable[..., BakeResult]


@pytest.fixture
def baked(tmp_path: Path) -> Bake:
    """`baked(path, enlarge=2)`: the result of one bake."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(path: Path, **fields: Any) -> BakeResult:
        return bake(BakeSpec(path, **fields), scratch)

    return run
