"""Alerts on the live page lead to what they are about, by mouse and by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from oven.ops.health import alerts
from oven.ops.health.samples import Sampler
from tests.browser.jobs import failed
from tests.browser.web import Web
from tests.e2e.live_pages import Screens, card


@pytest.fixture(scope="module")
def web_options() -> dict[str, Any]:
    """Memory is always too full, and one failed job is too many."""
    return {"OVEN_ALERT_MEMORY_PERCENT": 0, "OVEN_ALERT_FAILURES_LEAST": 1}


@pytest.fixture
def page(oven: Web, screens: Screens) -> Page:
    return screens.open()


def strip(page: Page, text: str) -> Any:
    return page.locator("#alerts li").filter(has_text=text)


def test_an_alert_about_the_machine_opens_the_workers(page: Page) -> None:
    link = strip(page, "Memory is").get_by_role("link", name="Workers")
    link.press("Enter")
    box = page.locator("#workers-box")
    expect(box).to_be_visible()
    expect(box.get_by_role("region")).to_be_focused()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    page.wait_for_function("location.hash === ''")
    link.click()  # once more
    expect(box).to_be_visible()


def test_the_same_from_another_page(page: Page, oven: Web) -> None:
    strip(page, "Memory is").get_by_role("link", name="What to do").click()
    row = page.locator("#memory")
    expect(row).to_contain_text("fewer workers")
    expect(row).to_be_in_viewport()
    page.locator(".strip").get_by_role("link", name="Workers").click()
    expect(page.locator("#workers-box")).to_be_visible()


def test_an_alert_about_jobs_leads_to_the_filtered_list(oven: Web, page: Page) -> None:
    failed("orbit")
    Sampler().write()
    alerts.slow.forget()
    page.reload()
    strip(page, "of the jobs of the last hour failed").get_by_role("link", name="Failed jobs").press("Enter")
    expect(page.locator("#q-state")).to_have_value("failed")
    expect(card(page, "done", "orbit")).to_be_in_viewport()
