"""Every page of the staff, with markup in every text that others wrote: nothing of it runs, the content policy refuses
nothing, and no page breaks a serious accessibility rule or is wider than its window.

The gate opens the pages that have a template, a script or a hostile text of their own, and runs axe on one page of each
template, every second one light and wide, the others dark and narrow. `--all` does so on every page, and keeps screenshots of all four looks
(see `shots`). The tests of `tests/dashboard` ask for every page without a browser.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser.accessible import violations
from tests.browser.planted import HOSTILE, plant
from tests.browser.shots import ADMIN_THEME, HEIGHT, WIDTHS, keep, looks
from tests.browser.web import Web
from tests.e2e.live_pages import signed_in
from tests.harness.sizes import sampled

admin.autodiscover()
MODELS = {model._meta.label_lower: model for model in admin.site._registry if model._meta.app_label != "django_rq"}
ADDED = ("captures.frozenpiece", "access.apitoken", "auth.user", "auth.group")
LISTS = {f"{label} list": f"/admin/{label.replace('.', '/')}/" for label in MODELS}
FORMS = {f"{label} new": f"/admin/{label.replace('.', '/')}/add/" for label in ADDED}
OTHERS = {
    "live": "/",
    "alerts": "/live/alerts",
    "docs": "/docs",
    "link used": "/sign-in?sesame=none",
    "index": "/admin/",
    "password": "/admin/password_change/",
    "queues": "/admin/django_rq/dashboard/",
    "grabs filtered": "/admin/captures/grab/?state__exact=failed&q=img",
    "nothing found": "/admin/captures/grab/?q=nothing-of-this-name",
}
KEPT = ("grab", "frozenpiece")
PLANTED: dict[str, int] = {}  # keys of the hostile rows
NOT_OURS = ("docs", "queues")  # pages of libraries whose markup is theirs: they must be safe, not perfect
TEMPLATES = (
    "captures.grab list",
    "nothing found",
    "captures.grab detail",
    "bakes.bake detail",
    "auth.user new",
    "grab history",
    "frozen delete",
    "user password",
    "link used",
    "login",
    "live",
    "index",
    "alerts",
)
PLAIN = (  # models whose pages show nothing but the theme's columns and fields, and ours of other pages
    "jobs.bulkaction",
    "artifacts.artifact",
    "access.apitoken",
    "captures.card",
    "captures.keep",
    "auth.user",
    "auth.group",
    "admin.logentry",
    "access.signin",
    "egress.egressexception",
    "retention.retentionrule",
    "mfa.authenticator",
    "captures.pin",
    "captures.screenshotpreset",
    "bakes.delivery",
    "bundles.bundle",
)
ELEMENT = HOSTILE.partition(">")[0] + ">"
MARKUP = {  # pages that must show it, as text; that none makes an element of it is looked at on every page
    **dict.fromkeys([f"{name} detail" for name in ("captures.grab", "bakes.bake", "jobs.attempt")], ELEMENT),
    "bundles.corebuild detail": ELEMENT,
    **dict.fromkeys([f"{name} list" for name in ("captures.grab", "captures.frozenpiece", "bakes.bake")], HOSTILE),
}
EXCUSED = {"live": ("listitem",)}  # the log is a list by role and not by name
WATCH = "window.refused = []; addEventListener('securitypolicyviolation', e => refused.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))"


@pytest.fixture(scope="module", autouse=True)
def planted(oven: Web) -> None:
    PLANTED.update(plant())


@pytest.fixture(scope="module")
def context(oven: Web, chromium: Browser) -> Iterator[BrowserContext]:
    made = new_context(chromium, storage_state=signed_in(oven))
    yield made
    made.close()


def new_context(chromium: Browser, **options: object) -> BrowserContext:
    """A browser in the first of the looks."""
    made = chromium.new_context(
        viewport={"width": WIDTHS[0], "height": HEIGHT}, color_scheme="light", reduced_motion="reduce", **options
    )
    made.add_init_script(WATCH)
    return made


class Guarded:
    """A page that remembers what went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(f"dialog {dialog.message}"), dialog.dismiss()))

    def _said(self, message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or message.type == "error":
            self.complaints.append(message.text)

    def check(self) -> None:
        assert self.page.locator("img[src=x]").count() == 0
        assert self.page.evaluate("window.pwned") is None
        assert self.page.evaluate("window.refused") == []
        missing = ("status of 404", "status of 403")  # a picture that does not exist; the used link is a refusal
        assert [text for text in self.complaints if not any(part in text for part in missing)] == []

    def leave(self) -> None:
        """Back to the first look, with nothing remembered. An empty page would end the process that shows pages."""
        self.page.evaluate("localStorage.clear()")  # the chosen theme
        self.page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")
        self.complaints.clear()


@pytest.fixture(scope="module")
def tab(context: BrowserContext) -> Guarded:
    """Return the tab that all tests share: a new one would start a process and compile every script again."""
    return Guarded(context.new_page())


@pytest.fixture
def guarded(tab: Guarded) -> Iterator[Guarded]:
    yield tab
    tab.leave()


def details() -> dict[str, str]:
    """The hostile row of every list (the first one of those without), a history, a deletion, a password."""
    found = {f"{label} detail": f"{LISTS[f'{label} list']}{PLANTED.get(label, 1)}/change/" for label in MODELS}
    grab, frozen = (LISTS[f"captures.{name} list"] + str(PLANTED.get(f"captures.{name}", 1)) for name in KEPT)
    more = {"grab history": f"{grab}/history/", "frozen delete": f"{frozen}/delete/"}
    return found | more | {"user password": "/admin/auth/user/1/password/"}


def open_at(guarded: Guarded, oven: Web, path: str) -> Page:
    answer = guarded.page.goto(oven.base + path)
    assert answer and answer.status in ((403,) if "sesame" in path else (200,)), path
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "unsafe-inline" not in script
    assert ("unsafe-eval" in script) == path.startswith("/admin")
    for name, value in PROTECTION.items():
        assert answer.headers[name] == value, (path, name)
    return guarded.page


PROTECTION = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def _settled(page: Page) -> None:
    """The two pages that draw themselves have done so."""
    for mark in ("#swagger-ui", "#link"):
        if page.locator(mark).count():
            expect(page.locator(".opblock, #link[data-state=live]").first).to_be_visible(timeout=20_000)


def look_at(guarded: Guarded, name: str, full_size: bool) -> list[str]:
    """Return what is wrong with a page. The gate runs axe on one page of each template, `--all` on every page."""
    if full_size:
        found = []
        for theme, width in looks(guarded.page):
            keep(guarded.page, name, theme, width)
            found += look(guarded.page, name, theme, width)
        return found
    if name not in TEMPLATES:
        guarded.page.set_viewport_size({"width": WIDTHS[1], "height": HEIGHT})
        return too_wide(guarded.page, name, WIDTHS[1])
    if TEMPLATES.index(name) % 2:
        return look(guarded.page, name, "light", WIDTHS[0])
    guarded.page.set_viewport_size({"width": WIDTHS[1], "height": HEIGHT})
    guarded.page.emulate_media(color_scheme="dark")
    guarded.page.evaluate(ADMIN_THEME, "dark")
    return look(guarded.page, name, "dark", WIDTHS[1])


def look(page: Page, name: str, theme: str, width: int) -> list[str]:
    """What is wrong with a page as it is. The looks that differ in both theme and width stand for all four."""
    if name in NOT_OURS or (theme, width) not in (("light", WIDTHS[0]), ("dark", WIDTHS[1])):
        return []
    found = violations(page, EXCUSED.get(name, ()))
    return [f"{theme}, {width}: {text}" for text in found] + too_wide(page, name, width)


def too_wide(page: Page, name: str, width: int) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [f"{wide} px on {width}"] if wide > width and name not in NOT_OURS else []


def check_page(guarded: Guarded, oven: Web, path: str, name: str, full_size: bool) -> None:
    page = open_at(guarded, oven, path)
    _settled(page)
    if name in MARKUP:
        expect(page.get_by_text(MARKUP[name]).first).to_be_attached()
    assert not (found := look_at(guarded, name, full_size)), "\n".join(found)
    guarded.check()


def sampled_pages(names: Iterable[str]) -> list[Any]:
    every = list(names)
    gate = [name for name in every if name in TEMPLATES or name.partition(" ")[0] not in PLAIN]
    return sampled(every, gate, "pages of the theme; the gate has others of the same template")


@pytest.mark.parametrize("name", sampled_pages([*LISTS, *FORMS, *OTHERS]))
def test_pages_are_safe_and_accessible(oven: Web, guarded: Guarded, name: str, full_size: bool) -> None:
    check_page(guarded, oven, {**LISTS, **FORMS, **OTHERS}[name], name, full_size)


@pytest.mark.parametrize("name", sampled_pages(details()))
def test_details_are_safe_and_accessible(oven: Web, guarded: Guarded, name: str, full_size: bool) -> None:
    check_page(guarded, oven, details()[name], name, full_size)


def test_the_login_page_is_too(oven: Web, chromium: Browser, full_size: bool) -> None:
    context = new_context(chromium)
    check_page(Guarded(context.new_page()), oven, "/admin/login/", "login", full_size)
    context.close()


def test_actions_and_their_dialogs_work_under_the_policy(oven: Web, guarded: Guarded) -> None:
    page = open_at(guarded, oven, details()["captures.grab detail"])
    page.get_by_role("link", name="Grab again").click()
    dialog = page.get_by_role("button", name="Grab again")
    expect(dialog).to_be_visible()
    assert page.evaluate("window.pwned") is None
    open_at(guarded, oven, LISTS["captures.grab list"])
    page.locator("input.action-select").first.check()
    page.select_option("select[name=action]", "cancel")
    page.locator("button[name=index]").click()
    expect(page.locator("body")).to_contain_text("left out")
    guarded.check()


def test_nothing_inline_runs_where_nothing_is_meant_to(oven: Web, guarded: Guarded) -> None:
    """The check itself: a script without the nonce is refused, and the test would see it."""
    page = open_at(guarded, oven, "/admin/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.pwned=1>')")
    page.wait_for_function("window.refused.length > 0")
    assert page.evaluate("window.pwned") is None
