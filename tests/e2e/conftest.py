"""One running Oven for all end-to-end tests, with the test pieces as its piece site, and browsers on its live page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from captures.engine.chromium import find_any_browser
from tests.e2e.held_site import HeldSite
from tests.e2e.live_pages import Screens
from tests.e2e.stack import Stack
from tests.pinning_server import PinningServer
from tests.site_server import Site

SECRET = "shared"  # of the shared Oven and its callers


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
def caller() -> Iterator[Site]:
    """The site whose tapes the shared Oven bakes, and which it tells what became of them."""
    with Site() as server:
        yield server


@pytest.fixture(scope="session")
def oven(site: HeldSite, caller: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Shared, with every kind of job: a test that breaks its workers or its data starts a Stack of its own.

    All tests that use it run in one process (`tests.harness.sizes`).
    """
    data = tmp_path_factory.mktemp("oven") / "data"
    env = {
        "OVEN_CALLBACK_SECRET": SECRET,
        "OVEN_TAPE_ORIGINS": caller.origin,
        "OVEN_CALLBACK_ORIGINS": caller.origin,
    }
    with PinningServer() as service, Stack(data, site.origin, OVEN_PINATA_URL=service.origin, **env) as stack:
        yield stack


@pytest.fixture(scope="package")
def shared_chromium() -> Iterator[Browser]:
    """Start one for all tests of this directory in a process: a start takes two seconds of CPU time.

    While it runs, Playwright keeps an event loop in this thread, in which Django would refuse to use the database.
    """
    flags = ["--no-sandbox", "--enable-unsafe-swiftshader", "--disable-features=LocalNetworkAccessChecks"]
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        found = playwright.chromium.launch(executable_path=find_any_browser() or None, args=flags)
        yield found
        found.close()


@pytest.fixture(scope="module")
def chromium(shared_chromium: Browser) -> Iterator[Browser]:
    """Close what a module leaves open: its pages would go on drawing."""
    yield shared_chromium
    for context in shared_chromium.contexts:
        context.close()


@pytest.fixture
def screens(oven: Stack, chromium: Browser) -> Iterator[Screens]:
    """Opens live pages of the shared Oven; afterwards no script of theirs may have complained."""
    with Screens(oven, chromium) as opener:
        yield opener
