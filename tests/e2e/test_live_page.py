"""The live page while a real worker captures: frames, the finished picture, cancelled jobs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.held_site import HeldSite
from tests.e2e.live_pages import SOON_MS, Screens, card, start
from tests.e2e.stack import Stack


@pytest.fixture
def page(screens: Screens) -> Page:
    return screens.open()


@pytest.fixture(autouse=True)
def nothing_left_running(oven: Stack) -> Iterator[None]:
    yield
    assert oven.post("/grab-clear").status_code == 200
    oven.until(lambda: not oven.get("/grab-status").json()["active"], limit_s=30)


def count(page: Page, section: str) -> Locator:
    return page.locator(f"#{section}-title .count")


def test_a_grab_shows_its_frames_and_then_its_picture(page: Page) -> None:
    start(page, "anim~frames", width=128, height=64, duration=4, fps=20)
    running = card(page, "now", "anim~frames")
    expect(running).to_be_visible()
    expect(running.locator("img")).to_have_attribute("src", _starting("data:image/jpeg;base64,"), timeout=SOON_MS)
    box = running.locator("img").bounding_box()
    assert box and abs(box["width"] / box["height"] - 2) < 0.1  # the square preview in the file's own shape
    done = card(page, "done", "anim~frames")
    expect(done).to_be_visible(timeout=60_000)
    expect(running).to_have_count(0)
    expect(done.locator(".badge").nth(1)).to_have_text("128×64")
    expect(done.locator(".shot > img")).to_have_js_property("complete", True)
    assert done.locator(".shot > img").evaluate("image => image.naturalWidth") > 0
    done.hover()
    expect(done.locator(".moving")).to_have_attribute("src", _starting("/files/art/oven/grabs/"))
    page.mouse.move(0, 0)
    expect(done.locator(".moving")).to_have_count(0)


@pytest.mark.exhaustive("tests/browser/test_live_filters.py cancels what runs and what waits")
def test_the_queue_falls_and_buttons_cancel(oven: Stack, page: Page, site: HeldSite) -> None:
    with site.holding("anim~long"):
        _cancel_waiting_and_running(page)


def _cancel_waiting_and_running(page: Page) -> None:
    for number in range(2):
        start(page, f"anim~long{number}", width=128, height=128, duration=1, fps=5)
    expect(count(page, "now")).to_have_text("2", timeout=SOON_MS)
    for number in range(3):
        start(page, f"anim~wait{number}", width=64, height=64, duration=1, fps=5)
    expect(count(page, "next")).to_have_text("3")
    assert page.locator("#next-list .name").all_inner_texts() == ["anim~wait0", "anim~wait1", "anim~wait2"]
    assert page.locator("#next-list .place").all_inner_texts() == ["1", "2", "3"]

    card(page, "next", "anim~wait1").get_by_role("button", name="Cancel").click()
    expect(page.locator("#next-list .name")).to_have_text(["anim~wait0", "anim~wait2"])
    expect(card(page, "done", "anim~wait1")).to_have_attribute("data-state", "cancelled")

    for number in range(2):
        card(page, "now", f"anim~long{number}").get_by_role("button", name="Cancel").click()
    for piece, state in {
        "long0": "cancelled",
        "long1": "cancelled",
        "wait0": "complete",
        "wait2": "complete",
    }.items():
        expect(card(page, "done", f"anim~{piece}")).to_have_attribute("data-state", state, timeout=60_000)
    expect(count(page, "next")).to_have_text("0")
    expect(page.locator("#now-empty")).to_be_visible()


def _starting(text: str) -> Any:
    return re.compile("^" + re.escape(text))
