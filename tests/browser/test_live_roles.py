"""What each role finds on the live page, with any piece name and in narrow windows."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect

from captures.models import FrozenPiece, Grab
from oven.events import publisher, stream
from tests.browser.jobs import done, fail, failed, waiting
from tests.browser.planted import HOSTILE
from tests.browser.web import Web
from tests.e2e.live_pages import Screens, card, sideways
from tests.harness.sizes import sampled

ACTING = "#start-tabs, #filter-act, #freeze, .pick, #picked button:visible, .row-tools"
WRITING = ("Grab again", "Cancel", "Unfreeze", "To the front")


def test_a_viewer_reads_and_has_nothing_to_act_with(oven: Web, screens: Screens) -> None:
    done("anim~read")
    failed("absent-read")
    page = screens.open("/?piece=read", role="viewer")
    expect(card(page, "done", "anim~read")).to_be_visible()
    expect(page.locator(ACTING)).to_have_count(0)
    for name in WRITING:
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    card(page, "done", "anim~read").get_by_role("button", name="More to do").click()
    expect(page.get_by_role("menuitem")).to_have_text(["Its lines in the log", "Its row in the admin"])
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    for key in ("x", "R", "c", "g"):
        page.keyboard.press(key)
    expect(page.locator("#picked")).to_be_hidden()
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator("#log-download")).to_be_visible()


def test_an_operator_acts(oven: Web, screens: Screens) -> None:
    failed("absent-done")
    page = screens.open("/?piece=absent-done", role="operator")
    expect(page.locator("#start-tabs [role=tab]")).to_have_text(["Grab", "Bake", "Bundle", "Prewarm"])
    with page.expect_response(lambda answer: answer.url.endswith("/again") and answer.status == 200):
        card(page, "done", "absent-done").get_by_role("button", name="Grab again").click()
    fail(waiting("absent-done"))
    expect(page.locator("#done-list > li")).to_have_count(2)
    page.get_by_role("tab", name="Frozen").click()
    expect(page.locator("#freeze")).to_be_visible()


@pytest.fixture(scope="module")
def hostile(oven: Web) -> None:
    """One job, one frozen piece and one line of the log whose every text is markup."""
    now = timezone.now()
    Grab.objects.create(
        public_id="hostile-1",
        piece=HOSTILE,
        format="png",
        out_width=64,
        out_height=64,
        capture_key="h",
        state="failed",
        error_code=HOSTILE[:40],
        error_message=HOSTILE,
        stage=HOSTILE[:20],
        source=HOSTILE[:40],
        spec={"piece": HOSTILE},
        started_at=now,
        ended_at=now,
    )
    FrozenPiece.objects.create(piece=HOSTILE, reason="staff", error=HOSTILE)
    stream.log("error", HOSTILE, HOSTILE)
    publisher.flush()


def test_the_public_reads_only_where_the_settings_say_so(
    oven: Web, hostile: None, screens: Screens, chromium: Browser, settings: Any
) -> None:
    closed = chromium.new_page()
    closed.goto(oven.base)
    expect(closed).to_have_title("Log in | Oven")
    closed.close()
    settings.OVEN_PUBLIC_LIVE = True
    page = screens.open(role="nobody")
    expect(card(page, "done", HOSTILE)).to_be_visible()
    expect(page.locator(ACTING)).to_have_count(0)
    for selector in (
        "#log-download",
        "#sign-out",
        "a[href^='/admin/']:not(:text('Sign in'))",
        "form:not(#filters)",
    ):
        expect(page.locator(f"{selector} >> visible=true")).to_have_count(0)
    card(page, "done", HOSTILE).get_by_role("button", name="More to do").click()
    expect(page.get_by_role("menuitem")).to_have_text(["Its lines in the log"])


def test_hostile_names_are_text_everywhere(hostile: None, screens: Screens) -> None:
    page = screens.open()
    failed = card(page, "done", HOSTILE)
    expect(failed.locator("h3")).to_have_text(HOSTILE)
    expect(failed.locator(".none")).to_have_text(HOSTILE)
    expect(page.locator("#log-list .msg", has_text="<script>").first).to_be_visible()
    failed.hover()
    failed.get_by_role("checkbox").check()
    failed.get_by_role("button", name="More to do").click()
    page.get_by_role("menuitem", name="Freeze this piece").click()
    expect(page.locator("#z-piece")).to_have_value(HOSTILE)
    expect(card(page, "frozen", HOSTILE)).to_contain_text(f"Put here by hand: {HOSTILE}")
    page.locator("#freeze [type=submit]").click()
    expect(page.locator("#z-e-piece")).not_to_have_text("")
    page.fill("#q-piece", HOSTILE)
    expect(page.locator("#found-text")).to_have_text("1 ended job found")
    page.reload()
    expect(failed.locator("h3")).to_have_text(HOSTILE)
    assert page.evaluate("window.pwned") is None
    assert page.locator("img[src=x], img[onerror]").count() == 0


@pytest.mark.parametrize("width", sampled([320, 390, 1440], [320], "the narrow one is the hard one"))
def test_no_panel_sticks_out(hostile: None, screens: Screens, width: int) -> None:
    page = screens.open(viewport={"width": width, "height": 800})
    for tab in ("Frozen", "Charts", "Done"):
        page.get_by_role("tab", name=tab).click()
        assert sideways(page) <= 0, tab
    for tab in ("Bake", "Bundle", "Prewarm", "Grab"):
        page.get_by_role("tab", name=tab).click()
        assert sideways(page) <= 0, tab
    page.fill("#q-piece", "x" * 200)
    expect(page.locator("#found")).to_be_visible()
    assert sideways(page) <= 0
