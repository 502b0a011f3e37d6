"""Finding jobs on the live page, and acting on many at once."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from captures.models import Grab
from oven.jobs import lifecycle
from tests.browser.jobs import done, fail, failed, queued, running, waiting
from tests.browser.web import Web
from tests.e2e.live_pages import SOON_MS, Screens, card, names

GOOD = ("anim~found1", "anim~found2")
BAD = ("absent-f1", "absent-f2", "absent-f3")


@pytest.fixture(scope="module", autouse=True)
def jobs(oven: Web) -> None:
    done(*GOOD)
    failed(*BAD)


def pick(page: Page, action: str) -> None:
    """Chooses from the menu of what can be done to all that the filter finds, and confirms."""
    page.click("#filter-act")
    page.get_by_role("menuitem", name=action).click()
    expect(page.locator("#confirm")).to_be_visible()


def test_a_filter_lives_in_the_address(screens: Screens) -> None:
    page = screens.open("/?state=failed&piece=absent-f")
    expect(page.locator("#q-piece")).to_have_value("absent-f")
    expect(page.locator("#found-text")).to_have_text("3 ended jobs found")
    assert sorted(names(page)) == sorted(BAD)
    page.select_option("#q-code", "http_status")
    expect(page).to_have_url(re.compile(r"/\?piece=absent-f&state=failed&code=http_status$"))
    page.select_option("#q-kind", "bake")
    expect(page.locator("#done-empty")).to_have_text("Nothing that has ended is like this.")
    page.go_back()
    expect(page.locator("#q-kind")).to_have_value("")
    expect(page.locator("#done-list > li")).to_have_count(3)
    page.go_forward()
    expect(page.locator("#done-list > li")).to_have_count(0)
    page.click("#filter-clear")
    expect(page).to_have_url(re.compile(r":\d+/$"))
    expect(card(page, "done", GOOD[0])).to_be_visible()


def test_what_ends_later_is_looked_at_too(oven: Web, screens: Screens) -> None:
    page = screens.open("/?piece=anim~later")
    expect(page.locator("#done-empty")).to_be_visible()
    done("anim~later", "anim~other")
    expect(card(page, "done", "anim~later")).to_be_visible()
    assert names(page) == ["anim~later"]


def test_all_that_is_found_is_requeued_and_taken_back(oven: Web, screens: Screens) -> None:
    page, other = screens.open("/?piece=absent-f&state=failed"), screens.open()
    before = oven.rows("select count(*) as n from captures_grab")[0]["n"]
    pick(page, "Requeue what has ended")
    expect(page.locator("#confirm-title")).to_have_text("Requeue 3 grabs?")
    page.click("#confirm-yes")
    for screen in (page, other):  # everybody sees it, and may take it back
        expect(screen.locator("#bulks li")).to_contain_text("Requeue 3 grabs (staff)")
    expect(other.locator("#next-list > li")).to_have_count(3)
    expect(other.locator("#bulks .rest")).to_have_text(re.compile(r"^\d+ s$"))
    other.get_by_role("button", name="Undo: Requeue 3 grabs").click()
    for screen in (page, other):
        expect(screen.locator("#bulks li")).to_contain_text("Undone: Requeue 3 grabs")
        expect(screen.locator("#next-list > li")).to_have_count(0)
    assert oven.rows("select count(*) as n from captures_grab")[0]["n"] == before


def test_a_bulk_action_that_is_not_confirmed_is_none(screens: Screens) -> None:
    page = screens.open("/?piece=absent-f&state=failed")
    pick(page, "Requeue without the cache")
    expect(page.locator("#confirm-title")).to_have_text("Requeue 3 grabs, without the cache?")
    page.keyboard.press("Escape")
    page.click("#filter-act")
    page.keyboard.press("End")
    page.keyboard.press("Enter")  # a lane, and nothing waits
    expect(page.locator("#notices")).to_contain_text("There is nothing that this could be done to.")
    expect(page.locator("#bulks li")).to_have_count(0)


def test_keys_go_from_job_to_job_and_select(oven: Web, screens: Screens) -> None:
    page = screens.open("/?piece=absent-f")
    expect(page.locator("#done-list > li")).to_have_count(3)
    page.keyboard.press("j")
    expect(page.locator("#done-list > li").nth(0)).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    expect(page.locator("#picked strong")).to_have_text("2 selected")
    expect(page.locator("#done-list > li.selected")).to_have_count(2)
    page.keyboard.press("R")
    expect(page.locator("#confirm-title")).to_have_text("Requeue 2 grabs?")
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#picked")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#q-piece")).to_be_focused()
    page.keyboard.type("xR")  # while typing they are letters
    expect(page.locator("#q-piece")).to_have_value("xR")


def cancelled_by_key(page: Page, grabs: list[Grab]) -> int:
    """Press the key on the focused job, then be the worker that stops it; return the job's key."""
    with page.expect_response(re.compile("/live/job/.*/cancel")):
        page.keyboard.press("c")
    (grab,) = Grab.objects.filter(pk__in=[grab.pk for grab in grabs], state="cancelling")
    lifecycle.confirm_cancelled(grab)
    return grab.pk


def test_one_job_is_requeued_and_cancelled_by_keys(oven: Web, screens: Screens) -> None:
    page = screens.open("/?piece=absent-f1")
    page.keyboard.press("j")
    with page.expect_response(re.compile("/live/job/.*/again")):
        page.keyboard.press("R")
    fail(waiting("absent-f1"))
    expect(page.locator("#done-list > li")).to_have_count(2, timeout=SOON_MS)
    page.click("#filter-clear")
    grabs = [running(f"anim~stop{number}") for number in range(2)]
    expect(page.locator("#now-list > li")).to_have_count(2, timeout=SOON_MS)
    page.locator("#now-title").focus()
    page.keyboard.press("j")
    stopped = cancelled_by_key(page, grabs)
    left = page.locator("#now-list > li")
    expect(left).to_have_count(1, timeout=SOON_MS)
    expect(left).to_be_focused()  # it stands where the cancelled one stood
    assert cancelled_by_key(page, grabs) != stopped
    for number in range(2):
        expect(card(page, "done", f"anim~stop{number}")).to_have_attribute("data-state", "cancelled", timeout=SOON_MS)


def test_the_queue_is_put_in_another_order(oven: Web, screens: Screens) -> None:
    page = screens.open()
    for number in range(2):
        running(f"anim~hold{number}")
    expect(page.locator("#now-list > li")).to_have_count(2, timeout=SOON_MS)
    for number in range(3):
        queued(f"anim~order{number}")
        expect(card(page, "next", f"anim~order{number}")).to_be_visible()
    card(page, "next", "anim~order2").get_by_role("button", name="To the front").click()
    expect(page.locator("#next-list .name")).to_have_text(["anim~order2", "anim~order0", "anim~order1"])
    lane = card(page, "next", "anim~order0").get_by_role("button", name="To another lane")
    lane.press("Enter")
    expect(page.get_by_role("menuitem", name="Keep")).to_be_focused()
    for _ in range(2):  # past "Heavy"
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#next-list .name")).to_have_text(["anim~order2", "anim~order1", "anim~order0"])
    expect(card(page, "next", "anim~order0").locator(".badge").last).to_have_text("batch")
    card(page, "next", "anim~order1").get_by_role("button", name="Cancel").click()
    expect(page.locator("#next-list .name")).to_have_text(["anim~order2", "anim~order0"])
