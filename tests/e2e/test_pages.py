"""The pages of store screenshots and of the gallery, in a real browser and under their own content policy."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.held_site import HeldSite
from tests.e2e.live_pages import Screens, sideways
from tests.e2e.stack import Stack

SOON_MS = 60_000


@pytest.fixture
def opened(screens: Screens) -> Iterator[Callable[..., Page]]:
    """Opens pages; afterwards none of them may be wider than its screen."""
    yield screens.visit
    assert [page.url for page in screens.pages if sideways(page) > 0] == []


@pytest.fixture
def presets(oven: Stack, full_size: bool) -> Iterator[int]:
    """Return how many presets there are: the gate takes all but two away, as each is a capture of megapixels."""
    place = "/admin/captures/screenshotpreset/"
    known = oven.rows("select * from captures_screenshotpreset order by position")
    removed = [] if full_size else known[2:]
    with oven.staff() as staff:
        for row in removed:
            assert staff.post(f"{place}{row['id']}/delete/", data={"post": "yes"}).status_code == 200
        yield len(known) - len(removed)
        for row in removed:
            assert staff.post(f"{place}add/", data=row).status_code == 200
    names = {row["name"] for row in oven.rows("select name from captures_screenshotpreset")}
    assert names == {row["name"] for row in known}


def shot(page: Page, name: str) -> Any:
    return page.locator(f"#shot-{name}")


def test_a_visitor_has_all_captured_and_sees_one_that_fails(
    opened: Callable[..., Page], site: HeldSite, presets: int
) -> None:
    page = opened("/app-screenshots?piece=anim~page", role="nobody", viewport={"width": 390, "height": 844})
    expect(page.locator(".shot-card[data-state=missing]")).to_have_count(presets)
    expect(page.locator(".again")).to_have_count(0)
    with site.answering("anim~page", 503):
        shot(page, "phone-portrait").get_by_role("button", name="Capture").click()
        expect(shot(page, "phone-portrait")).to_have_attribute("data-state", "failed", timeout=SOON_MS)
    expect(shot(page, "phone-portrait").locator(".error")).to_have_text("The page answered HTTP 503.")
    with site.holding("anim~page"):
        page.get_by_role("button", name="Capture all").click()
        expect(page.locator(".shot-card[data-state=baking]")).to_have_count(presets)
        expect(shot(page, "phone-portrait").locator(".said")).to_contain_text("%")
    expect(page.locator(".shot-card[data-state=ready]")).to_have_count(presets, timeout=SOON_MS)
    image = shot(page, "phone-portrait").locator("img")
    expect(image).to_have_js_property("naturalWidth", 1080)
    expect(image).to_have_js_property("naturalHeight", 1920)
    with page.expect_download() as saving:
        shot(page, "phone-portrait").get_by_role("link", name="Download").click()
    assert saving.value.suggested_filename == "anim~page-phone-portrait.png"
    with page.expect_download() as saving:
        page.get_by_role("link", name="All as ZIP").click()
    assert saving.value.suggested_filename == "anim~page-app-screenshots.zip"
    with zipfile.ZipFile(io.BytesIO(saving.value.path().read_bytes())) as archive:
        assert len(archive.namelist()) == presets


@pytest.mark.exhaustive("the gallery has an icon made again")
def test_staff_regenerate_one(opened: Callable[..., Page], oven: Stack) -> None:
    oven.get("/app-screenshots/phone-landscape/anim~anew.png")
    page = opened("/app-screenshots?piece=anim~anew", color_scheme="dark")
    card = shot(page, "phone-landscape")
    expect(card).to_have_attribute("data-state", "ready")
    old = card.locator("img").get_attribute("src")
    card.get_by_role("button", name="Regenerate").click()
    expect(card.locator("img")).not_to_have_attribute("src", str(old), timeout=SOON_MS)
    rows = oven.rows("select requested_by_id from captures_grab where piece = 'anim~anew' order by id")
    assert [row["requested_by_id"] is None for row in rows] == [True, False]


def test_the_gallery_shows_an_icon_and_has_it_made_anew(opened: Callable[..., Page], oven: Stack) -> None:
    assert oven.get("/icon/64x64/anim~shown.png").status_code == 200
    page = opened("/gallery?q=anim~shown", viewport={"width": 390, "height": 844})
    picture = page.locator(".picture")
    expect(picture).to_have_count(1)
    expect(picture.locator("img")).to_have_js_property("naturalWidth", 64)
    old = picture.locator("img").get_attribute("src")
    picture.get_by_role("button", name="Refresh").click()
    expect(picture.locator(".age")).to_have_text("just now", timeout=SOON_MS)
    assert picture.locator("img").get_attribute("src") != old
    assert oven.get("/icon/64x64/anim~shown.png").headers["location"] == picture.locator("img").get_attribute("src")
