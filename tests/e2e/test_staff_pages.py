"""Every page of the staff, with markup in every text that others wrote: nothing runs, nothing is refused by the
policy, and nobody is locked out by colours or missing names. The pictures are kept (see `shots`)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib import admin
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from captures.engine.chromium import find_any_browser
from tests.e2e.planted import HOSTILE
from tests.e2e.shots import keep, looks
from tests.e2e.stack import Stack

admin.autodiscover()
MODELS = {model._meta.label_lower: model for model in admin.site._registry if model._meta.app_label != "django_rq"}
ADDED = ("captures.frozenpiece", "access.apitoken", "auth.user", "auth.group")
LISTS = {f"{label} list": f"/admin/{label.replace('.', '/')}/" for label in MODELS}
FORMS = {f"{label} new": f"/admin/{label.replace('.', '/')}/add/" for label in ADDED}
OTHERS = {
    "live": "/",
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
SERIOUS = ("serious", "critical")
EXCUSED = {"live": ("listitem",)}  # the log is a list by role and not by name
WATCH = "window.refused = []; addEventListener('securitypolicyviolation', e => refused.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("pages") / "data", workers=0) as running:
        said = running.manage("shell", "-c", "from tests.e2e.planted import plant; plant()")
        PLANTED.update(json.loads(said.strip().splitlines()[-1]))
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=find_any_browser() or None, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def context(stack: Stack, browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context()
    made.add_init_script(WATCH)
    page = made.new_page()
    page.goto(stack.manage("signin").strip().splitlines()[-1])
    page.close()
    yield made
    made.close()


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
        assert self.page.evaluate("window.pwned") is None
        assert self.page.evaluate("window.refused") == []
        missing = ("status of 404", "status of 403")  # a picture that does not exist; the used link is a refusal
        assert [text for text in self.complaints if not any(part in text for part in missing)] == []


@pytest.fixture
def guarded(context: BrowserContext) -> Iterator[Guarded]:
    page = context.new_page()
    yield Guarded(page)
    page.close()


def details() -> dict[str, str]:
    """The hostile row of every list (the first one of those without), a history, a deletion, a password."""
    found = {f"{label} detail": f"{LISTS[f'{label} list']}{PLANTED.get(label, 1)}/change/" for label in MODELS}
    grab, frozen = (LISTS[f"captures.{name} list"] + str(PLANTED.get(f"captures.{name}", 1)) for name in KEPT)
    more = {"grab history": f"{grab}/history/", "frozen delete": f"{frozen}/delete/"}
    return found | more | {"user password": "/admin/auth/user/1/password/"}


def open_at(guarded: Guarded, stack: Stack, path: str) -> Page:
    answer = guarded.page.goto(stack.base + path)
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


def violations(page: Page, name: str) -> list[str]:
    rules = {rule: {"enabled": False} for rule in EXCUSED.get(name, ())}
    found = Axe().run(page, options={"resultTypes": ["violations"], "rules": rules}).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:120]} {node['failureSummary'][-230:]}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def look_at(guarded: Guarded, name: str) -> list[str]:
    """Keeps pictures of all looks; what axe says of the two that differ in both theme and width."""
    page, found = guarded.page, []
    for theme, width in looks(page):
        keep(page, name, theme, width)
        if name not in NOT_OURS and (theme, width) in (("light", 1440), ("dark", 390)):
            found += [f"{theme}, {width}: {text}" for text in violations(page, name)]
            wide = page.evaluate("document.documentElement.scrollWidth")
            found += [f"{wide} px on {width}"] if wide > width else []
    return found


@pytest.mark.parametrize("name", [*LISTS, *FORMS, *OTHERS])
def test_pages_are_safe_and_accessible(stack: Stack, guarded: Guarded, name: str) -> None:
    page = open_at(guarded, stack, {**LISTS, **FORMS, **OTHERS}[name])
    _settled(page)
    assert not (found := look_at(guarded, name)), "\n".join(found)
    guarded.check()


@pytest.mark.parametrize("name", details())
def test_details_are_safe_and_accessible(stack: Stack, guarded: Guarded, name: str) -> None:
    page = open_at(guarded, stack, details()[name])
    _settled(page)
    assert not (found := look_at(guarded, name)), "\n".join(found)
    guarded.check()


def test_the_login_page_is_too(stack: Stack, browser: Browser) -> None:
    context = browser.new_context()
    context.add_init_script(WATCH)
    guarded = Guarded(context.new_page())
    open_at(guarded, stack, "/admin/login/")
    assert not (found := look_at(guarded, "login")), "\n".join(found)
    guarded.check()
    context.close()


def test_markup_is_shown_as_text(stack: Stack, guarded: Guarded) -> None:
    rows = details()
    for name in ("captures.grab detail", "bakes.bake detail", "jobs.attempt detail", "bundles.corebuild detail"):
        page = open_at(guarded, stack, rows[name])
        expect(page.get_by_text("<img src=x onerror=window.pwned=1>").first).to_be_attached()
        assert page.locator("img[src=x]").count() == 0
    for label in ("captures.grab", "captures.frozenpiece", "bakes.bake"):
        page = open_at(guarded, stack, LISTS[f"{label} list"])
        expect(page.get_by_text(HOSTILE).first).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
    guarded.check()


def test_actions_and_their_dialogs_work_under_the_policy(stack: Stack, guarded: Guarded) -> None:
    page = open_at(guarded, stack, details()["captures.grab detail"])
    page.get_by_role("link", name="Grab again").click()
    dialog = page.get_by_role("button", name="Grab again")
    expect(dialog).to_be_visible()
    assert page.evaluate("window.pwned") is None
    open_at(guarded, stack, LISTS["captures.grab list"])
    page.locator("input.action-select").first.check()
    page.select_option("select[name=action]", "cancel")
    page.locator("button[name=index]").click()
    expect(page.locator("body")).to_contain_text("left out")
    guarded.check()


def test_nothing_inline_runs_where_nothing_is_meant_to(stack: Stack, guarded: Guarded) -> None:
    """The check itself: a script without the nonce is refused, and the test would see it."""
    page = open_at(guarded, stack, "/admin/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.pwned=1>')")
    page.wait_for_function("window.refused.length > 0")
    assert page.evaluate("window.pwned") is None
