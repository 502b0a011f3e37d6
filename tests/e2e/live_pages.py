"""Live pages of a running Oven in a real browser, as people of every role see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import httpx
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

SOON_MS = 20_000
expect.set_options(timeout=15_000)  # the machine may be busy
WATCH = (
    "window.refused = []; addEventListener('securitypolicyviolation', "
    "event => refused.push(event.violatedDirective + ' ' + event.blockedURI))"
)


class Oven(Protocol):
    """A `Stack`, or a `tests.browser.web.Web`. `cookies`: of somebody who is signed in already and may do everything."""

    base: str
    cookies: dict[str, str]

    def manage(self, *args: str) -> str: ...


_cookies: WeakKeyDictionary[Oven, dict[str, Any]] = WeakKeyDictionary()  # what browsers keep, by role


Before = Callable[[Page], None]
Tabs = dict[tuple[str, Before | None], Page]


class Screens:
    """`open` opens a live page in a browser of its own, `visit` any page.

    At the end, no page may have complained or been refused. With `tabs`, a page without options is opened in a tab
    that an earlier test has left, if there is one: that takes half of the time. `options` are those of every context.
    """

    def __init__(self, oven: Oven, browser: Browser, tabs: Tabs | None = None, **options: Any) -> None:
        self.oven, self.browser, self.tabs, self.options = oven, browser, tabs, options
        self.pages: list[Page] = []
        self.complaints: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        refused = [page.evaluate("window.refused") for page in self.pages]
        kept = list((self.tabs or {}).values())
        for page in self.pages:
            if page in kept:
                self._leave(page)
            else:
                page.context.close()
        if kind is None:
            # The browser itself reports answers that are refusals.
            assert [line for line in self.complaints if "status of 40" not in line] == []
            assert [found for found in refused if found] == []

    def open(self, path: str = "/", role: str = "", **options: Any) -> Page:
        """`role`: of the person: one of the groups, empty for whoever may do everything, `nobody` for anonymous."""
        page = self.visit(path, role, **options)
        expect(page.locator("#link")).to_have_attribute("data-state", "live")
        return page

    def visit(self, path: str, role: str = "", before: Before | None = None, **options: Any) -> Page:
        """`before` is called with the page while it is still empty. `fresh`: in no tab of an earlier test."""
        fresh = options.pop("fresh", False) or bool(options)
        tab = None if fresh or self.tabs is None else self.tabs.get((role, before))
        if tab is None or tab in self.pages:
            tab = self._new_page(role, options)
            if before is not None:
                before(tab)
            if self.tabs is not None and not fresh:
                self.tabs.setdefault((role, before), tab)
        self.pages.append(tab)
        tab.on("console", self._heard)
        tab.on("pageerror", self._failed)
        tab.goto(f"{self.oven.base}{path}")
        return tab

    def _new_page(self, role: str, options: dict[str, Any]) -> Page:
        state = None if role == "nobody" else signed_in(self.oven, role)
        context = self.browser.new_context(storage_state=state, **self.options, **options)
        context.add_init_script(WATCH)
        return context.new_page()

    def _leave(self, page: Page) -> None:
        """Nothing of this test is there in the next one. An empty page would end the process that shows pages."""
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
        page.remove_listener("console", self._heard)
        page.remove_listener("pageerror", self._failed)
        page.mouse.move(0, 0)

    def _failed(self, error: Exception) -> None:
        self.complaints.append(str(error))

    def _heard(self, line: ConsoleMessage) -> None:
        """What a bundle says in its sandbox is its own business."""
        if line.type in ("error", "warning") and "/bundles/" not in line.location["url"]:
            self.complaints.append(line.text)


def signed_in(oven: Oven, role: str = "") -> Any:
    """What a browser keeps of somebody of this role who came by the one-time link."""
    known = _cookies.setdefault(oven, {})
    if role not in known:
        cookies = oven.cookies if not role and oven.cookies else _cookies_from_link(oven, role)
        kept = {"domain": urlsplit(oven.base).hostname, "path": "/", "expires": -1, "sameSite": "Lax"}
        made = [{"name": name, "value": value, **kept} for name, value in cookies.items()]
        known[role] = {"cookies": made, "origins": []}
    return known[role]


def _cookies_from_link(oven: Oven, role: str) -> dict[str, str]:
    args = ["--user", f"a-{role}", "--role", role] if role else []
    link = oven.manage("signin", *args).strip().splitlines()[-1]
    with httpx.Client() as client:
        answer = client.get(link)
        assert answer.status_code == 302, answer.text
        return dict(client.cookies)


def start(page: Page, piece: str, **fields: Any) -> None:
    """Fill in the form for a grab and send it."""
    page.fill("#start [name=piece]", piece)
    for name, value in fields.items():
        if name == "format":
            page.select_option("#start [name=format]", value)
        else:
            page.fill(f"#start [name={name}]", str(value))
    with page.expect_response("**/live/start/grab"):
        page.click("#start-button")


def card(page: Page, section: str, name: str) -> Locator:
    """The card of a job in `now`, `next` or `done`; of a piece in `frozen`."""
    return page.locator(f"#{section}-list > li", has=page.get_by_text(name, exact=True))


def names(page: Page, section: str = "done") -> list[str]:
    found = page.locator(f"#{section}-list > li :is(h3, .name)")
    return found.all_inner_texts()


def sideways(page: Page) -> int:
    """By how much the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
