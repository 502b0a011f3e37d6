"""Panels of the live page that show what workers make and are: bundles in their sandbox, memory and disk."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.live_pages import SOON_MS, Screens


def bundle(page: Page, piece: str) -> Locator:
    return page.locator(f"#done-list > li[data-id^=bundle-{piece}-]")


@pytest.fixture
def page(screens: Screens) -> Page:
    return screens.open()


@pytest.mark.exhaustive("test_bundles_served.py opens one in its sandbox")
def test_a_bundle_is_tried_in_a_sandbox_and_only_then_loaded(page: Page) -> None:
    page.get_by_role("tab", name="Bundle").click()
    for piece in ("orbit", "prism"):
        page.fill("#b-piece", piece)
        page.get_by_role("button", name="Start the bundle").click()
        expect(bundle(page, piece)).to_be_visible(timeout=40_000)
    expect(page.locator("iframe")).to_have_count(0)
    for piece in ("orbit", "prism"):
        bundle(page, piece).hover()
        bundle(page, piece).get_by_role("button", name=f"Try {piece}").click()
        frame = page.locator("iframe")
        expect(frame).to_have_count(1)  # one at a time
        expect(frame).to_have_attribute("sandbox", "allow-scripts")
        expect(bundle(page, piece).locator("iframe")).to_have_count(1)
        expect(page.frame_locator("iframe").locator("canvas").first).to_be_attached(timeout=SOON_MS)
        inside = page.locator("iframe").element_handle().content_frame()
        assert inside and inside.evaluate("origin") == "null"
    bundle(page, "prism").get_by_role("button", name="Try prism").click()
    expect(page.locator("iframe")).to_have_count(0)


def test_workers_memory_and_disk_stand_in_the_header(page: Page) -> None:
    expect(page.locator("#memory")).to_have_attribute("aria-valuenow", re.compile(r"^[1-9]\d*$"), timeout=SOON_MS)
    expect(page.locator("#disk")).to_be_visible()
    page.click("#workers")
    rows = page.locator("#workers-list tr")
    expect(rows.filter(has_text="capture").first).to_be_visible()
    expect(rows.filter(has_text="capture").first.locator("td.memory")).to_have_text(re.compile("MB|GB"))
    page.keyboard.press("Escape")
    expect(page.locator("#workers-box")).to_be_hidden()
