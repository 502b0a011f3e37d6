"""The live page's panels: forms, the frozen list, charts, the log."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from oven.ops.health.samples import Sampler
from tests.browser.jobs import done, failed, finish, waiting
from tests.browser.web import Web
from tests.e2e.live_pages import Screens, card


@pytest.fixture
def page(screens: Screens) -> Page:
    return screens.open()


def test_every_kind_has_its_form_and_its_command(oven: Web, page: Page) -> None:
    tabs = page.get_by_role("tablist", name="What to start")
    tabs.get_by_role("tab", name="Grab").press("ArrowRight")
    expect(tabs.get_by_role("tab", name="Bake")).to_be_focused()
    page.fill("#k-code", "tape1")
    page.fill("#k-zipUrl", "https://nowhere.example/tape.zip")
    expect(page.locator("#curl")).to_contain_text('"code":"tape1","zipUrl":"https://nowhere.example/tape.zip"')
    expect(page.locator("#curl")).to_contain_text("""'"$OVEN_CALLBACK_SECRET"'"}' """ + oven.base + "/bake")
    page.get_by_role("button", name="Start the bake").click()
    expect(page.locator("#k-e-zipUrl")).to_contain_text("nowhere.example is not a known origin")
    expect(page.locator("#k-zipUrl")).to_be_focused()
    tabs.get_by_role("tab", name="Bundle").click()
    page.get_by_role("button", name="Start the bundle").click()
    expect(page.locator("#b-e-piece")).to_contain_text("A piece's name")
    page.fill("#b-piece", "$bloom")
    expect(page.locator("#curl")).to_have_text(f"curl -o bloom.html '{oven.base}/bundle-html?code=%24bloom'")
    tabs.get_by_role("tab", name="Prewarm").click()
    expect(page.locator("#curl")).to_contain_text(f"{oven.base}/bundle-prewarm")


def test_a_preset_fills_the_form_and_a_result_fills_it_again(oven: Web, page: Page) -> None:
    page.fill("#start [name=piece]", "anim~changed")
    page.select_option("#f-preset", "sharp still")
    expect(page.locator("#start [name=piece]")).to_have_value("anim~changed")
    expect(page.locator("#sum")).to_have_text("1024×1024 px")
    page.fill("#start [name=width]", "96")
    with page.expect_response("**/live/start/grab"):
        page.click("#start-button")
    finish(waiting("anim~changed"))
    shown = card(page, "done", "anim~changed")
    expect(shown).to_be_visible()
    page.locator("#start").evaluate("form => form.reset()")
    shown.get_by_role("button", name="More to do").click()
    page.get_by_role("menuitem", name="Again, with changes").click()
    expect(page.locator("#start [name=piece]")).to_be_focused()
    for name, value in {"piece": "anim~changed", "format": "png", "width": "96", "density": "2"}.items():
        expect(page.locator(f"#start [name={name}]")).to_have_value(value)


def test_a_piece_is_frozen_by_hand_and_freed(page: Page) -> None:
    page.get_by_role("tab", name="Frozen").click()
    page.get_by_role("button", name="Freeze", exact=True).click()
    expect(page.locator("#z-e-piece")).to_have_text("A piece's name is needed.")
    page.fill("#z-piece", "anim~stiff")
    page.fill("#z-reason", "it blinks")
    page.keyboard.press("Enter")
    entry = card(page, "frozen", "anim~stiff")
    expect(entry).to_contain_text("Put here by hand: it blinks")
    expect(page.locator("#frozen-count")).to_have_text("1")
    page.fill("#q-piece", "nothing like it")
    expect(page.locator("#frozen-empty")).to_have_text("No frozen piece is named like this.")
    page.click("#filter-clear")
    entry.get_by_role("button", name="Unfreeze").click()
    expect(page.locator("#frozen-empty")).to_be_visible()
    expect(page.locator("#frozen-count")).to_have_text("0")


def test_charts_are_drawn_read_out_and_told_as_a_table(oven: Web, screens: Screens) -> None:
    done("anim~charted")
    failed("absent-charted")
    Sampler().write()  # as the scheduler does every few seconds; the page asks for them once
    page = screens.open()
    page.get_by_role("tab", name="Charts").click()
    ended = page.locator("figure", has=page.get_by_role("heading", name="Ended"))
    expect(ended.locator("rect.fill").first).to_be_visible()
    plot = ended.get_by_role("slider")
    plot.focus()
    page.keyboard.press("End")
    expect(plot).to_have_attribute("aria-valuetext", re.compile(r"^\d\d:\d\d: complete [\d.]+, failed [\d.]+$"))
    before = plot.get_attribute("aria-valuetext")
    page.keyboard.press("Home")
    assert plot.get_attribute("aria-valuetext") != before
    ended.get_by_text("As a table").click()
    expect(ended.get_by_role("columnheader")).to_have_text(["Time", "complete", "failed"])
    assert ended.get_by_role("row").count() >= 2
    took = page.locator("figure", has=page.get_by_role("heading", name="How long they took"))
    expect(took.locator("path.stroke")).not_to_have_count(0)
    expect(page.get_by_role("meter", name="Grab: success")).to_be_visible()
    with page.expect_response("**/live/charts?span=day"):
        page.get_by_role("button", name="Last day").click()
    expect(ended.locator("rect.fill").first).to_be_visible()


def test_the_log_is_narrowed_to_a_job_and_downloaded(oven: Web, page: Page) -> None:
    done("anim~told", "anim~untold")
    told = card(page, "done", "anim~told")
    told.get_by_role("button", name="More to do").click()
    page.get_by_role("menuitem", name="Its lines in the log").click()
    lines = page.locator("#log-list li")
    job = page.locator("#log-job").input_value()
    assert job == told.get_attribute("data-id")
    expect(lines.first).to_contain_text("anim~told")
    assert all("untold" not in text for text in lines.all_inner_texts())
    page.select_option("#log-filter", "success")
    with page.expect_download() as download:
        page.click("#log-download")
    text = Path(download.value.path()).read_text()
    assert "anim~told" in text
    assert "untold" not in text
    assert {line.split()[1] for line in text.splitlines()} == {"success"}
    page.fill("#log-job", "")
    lines.locator(".of").first.click()
    expect(page.locator("#log-job")).not_to_have_value("")
