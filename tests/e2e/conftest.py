"""One running Oven for all end-to-end tests, with the test pieces as its piece site."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack
from tests.site_server import Site


@pytest.fixture(scope="session")
def site() -> Iterator[HeldSite]:
    with HeldSite() as server:
        yield server


@pytest.fixture(scope="module")
def callers() -> Iterator[Site]:
    """A site that sends tapes and is told what became of them."""
    with Site() as server:
        yield server


@pytest.fixture(scope="session")
def oven(site: HeldSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Shared: a test that breaks its workers or its data starts a Stack of its own."""
    stack = Stack(tmp_path_factory.mktemp("oven") / "data", piece_origin=site.origin)
    stack.start()
    yield stack
    stack.stop()
