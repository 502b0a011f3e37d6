"""The piece tests need only the repository's root on the path."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.piece_server import PieceServer


@pytest.fixture(scope="session")
def site() -> Iterator[PieceServer]:
    """One piece site for all these tests, its request log kept."""
    with PieceServer() as server:
        yield server
