"""One running Oven for all end-to-end tests, with the test pieces as its piece site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.piece_server import PieceServer


@pytest.fixture(scope="session")
def site() -> Iterator[PieceServer]:
    with PieceServer() as server:
        yield server


@pytest.fixture(scope="session")
def oven(site: PieceServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Shared: a test that breaks its workers or its data starts a Stack of its own."""
    stack = Stack(tmp_path_factory.mktemp("oven") / "data", piece_origin=site.origin)
    stack.start()
    yield stack
    stack.stop()
