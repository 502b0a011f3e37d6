"""One warm engine for all these tests, and trees made of a few files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.spec import BundleSpec, SourceTree

NOW = datetime(2026, 2, 13, 21, 5, 9, 7000, tzinfo=UTC)
MakeTree = Callable[..., SourceTree]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(EngineOptions(tmp_path_factory.mktemp("bundles"))) as engine:
        yield engine


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def make_tree(tmp_path: Path) -> MakeTree:
    """`make_tree({"main.mjs": "..."}, include=("fonts/*",))`: starts from main.mjs; pieces are in `pieces`."""

    def make_tree(files: dict[str, str | bytes], **fields: Any) -> SourceTree:
        root = tmp_path / "tree"
        root.mkdir(exist_ok=True)
        write(root, {"main.mjs": "", **files})
        return replace(SourceTree(root, seeds=("main.mjs",), boot="main.mjs"), **fields)

    return make_tree


@pytest.fixture
def spec() -> Callable[..., BundleSpec]:
    return lambda piece="dot", **fields: BundleSpec(fields.pop("now", NOW), piece=piece, **fields)
