"""Live pages of a running Oven in a real browser, as people of every role see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

SOON_MS = 20_000
expect.set_options(timeout=15_000)  # the machine may be busy
WATCH = (
    "window.refused = []; addEventListener('securitypolicyviolation', "
    "event => refused.push(event.violatedDirective + ' ' + event.blockedURI))"
)


class Oven(Protocol):
    """A `Stack`, or a `tests.browser.web.Web`."""

    base: str

    def manage(self, *args: str) -> str: ...


_cookies: WeakKeyDictionary[Oven, dict[str, Any]] = WeakKeyDictionary()  # what browsers keep, by role


class Screens:
    """`open` opens a live page in a browser of its own, `visit` any page.

    At the end, no page may have complained or been refused.
    """

    def __init__(self, oven: Oven, browser: Browser) -> None:
        self.oven, self.browser = oven, browser
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        refused = [page.evaluate("window.refused") for context in self.contexts for page in context.pages]
        for context in self.contexts:
            context.close()
        if kind is None:
            # The browser itself reports answers that are refusals.
            assert [line for line in self.complaints if "status of 40" not in line] == []
            assert [found for found in refused if found] == []

    def open(self, path: str = "/", role: str = "", **options: Any) -> Page:
        """`role`: of the person: one of the groups, empty for whoever may do everything, `nobody` for anonymous."""
        page = self.visit(path, role, **options)
        expect(page.locator("#link")).to_have_attribute("data-state", "live")
        return page

    def visit(
        self, path: str, role: str = "", before: Callable[[Page], None] = lambda page: None, **options: Any
    ) -> Page:
        """`before` is called with the page while it is still empty."""
        context = self.browser.new_context(
            storage_state=None if role == "nobody" else signed_in(self.oven, role), **options
        )
        context.add_init_script(WATCH)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        before(page)
        page.goto(f"{self.oven.base}{path}")
        return page

    def _heard(self, line: ConsoleMessage) -> None:
        """What a bundle says in its sandbox is its own business."""
        if line.type in ("error", "warning") and "/bundles/" not in line.location["url"]:
            self.complaints.append(line.text)


def signed_in(oven: Oven, role: str = "") -> Any:
    """What a browser keeps of somebody of this role who came by the one-time link."""
    known = _cookies.setdefault(oven, {})
    if role not in known:
        args = ["--user", f"a-{role}", "--role", role] if role else []
        link = oven.manage("signin", *args).strip().splitlines()[-1]
        with httpx.Client() as client:
            answer = client.get(link)
            assert answer.status_code == 302, answer.text
            kept = {"domain": urlsplit(link).hostname, "path": "/", "expires": -1, "sameSite": "Lax"}
            made = [{"name": name, "value": value, **kept} for name, value in client.cookies.items()]
        known[role] = {"cookies": made, "origins": []}
    return known[role]


def card(page: Page, section: str, name: str) -> Locator:
    """The card of a job in `now`, `next` or `done`; of a piece in `frozen`."""
    return page.locator(f"#{section}-list > li", has=page.get_by_text(name, exact=True))


def names(page: Page, section: str = "done") -> list[str]:
    found = page.locator(f"#{section}-list > li :is(h3, .name)")
    return found.all_inner_texts()


def sideways(page: Page) -> int:
    """By how much the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
