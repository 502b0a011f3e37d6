"""One browser for all these tests, and for each module a site of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from captures.engine.chromium import find_any_browser
from tests.browser.web import Web, orm_in_browser_tests
from tests.e2e.live_pages import Screens, Tabs

# A page whose answer went through `route.fulfill` counts as one of another network, which may not call this host.
SAME_NETWORK = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Not for the session: only one `sync_playwright` can be open in a process, and other directories open theirs."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=find_any_browser() or None, args=["--no-sandbox", SAME_NETWORK]
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def web_options() -> dict[str, Any]:
    """What a module's `oven` is made with: `host`, and settings. Modules override it."""
    return {}


@pytest.fixture(scope="module")
def oven(_valkey: Any, django_db_blocker: Any, web_options: dict[str, Any]) -> Iterator[Web]:
    """Shared by a module: tests that count rows name theirs differently from those of others."""
    with orm_in_browser_tests(django_db_blocker), Web(**web_options) as running:
        yield running


@pytest.fixture(scope="module")
def tabs(oven: Web) -> Iterator[Tabs]:
    """Pages that a module's tests open one after another."""
    found: Tabs = {}
    yield found
    for page in found.values():
        page.context.close()


@pytest.fixture
def screens(oven: Web, chromium: Browser, tabs: Tabs) -> Iterator[Screens]:
    """Opens live pages; afterwards no script of theirs may have complained.

    Nothing moves on them by itself: drawing it costs more than all the rest of an open page.
    """
    with Screens(oven, chromium, tabs, reduced_motion="reduce") as opener:
        yield opener
