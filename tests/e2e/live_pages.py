"""Live pages of a running Oven in a real browser, as people of every role see them."""

from __future__ import annotations

import json
from typing import Any, Self

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.e2e.stack import Stack

SOON_MS = 20_000
expect.set_options(timeout=15_000)  # the machine may be busy
WATCH = (
    "window.refused = []; addEventListener('securitypolicyviolation', "
    "event => refused.push(event.violatedDirective + ' ' + event.blockedURI))"
)
_cookies: dict[tuple[str, str], Any] = {}  # by base address and role


class Screens:
    """`open` opens a live page in a browser of its own. At the end, no page may have complained or been refused."""

    def __init__(self, oven: Stack, browser: Browser) -> None:
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
        state = None if role == "nobody" else self.signed_in(role)
        context = self.browser.new_context(storage_state=state, **options)
        context.add_init_script(WATCH)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{self.oven.base}{path}")
        expect(page.locator("#link")).to_have_attribute("data-state", "live")
        return page

    def _heard(self, line: ConsoleMessage) -> None:
        """What a bundle says in its sandbox is its own business."""
        if line.type in ("error", "warning") and "/bundles/" not in line.location["url"]:
            self.complaints.append(line.text)

    def signed_in(self, role: str) -> Any:
        """Cookies of somebody of this role."""
        key = (self.oven.base, role)
        if key not in _cookies:
            args = ["--user", f"a-{role}", "--role", role] if role else []
            context = self.browser.new_context()
            context.new_page().goto(self.oven.manage("signin", *args).strip().splitlines()[-1])
            _cookies[key] = context.storage_state()
            context.close()
        return _cookies[key]


def card(page: Page, section: str, name: str) -> Locator:
    """The card of a job in `now`, `next` or `done`; of a piece in `frozen`."""
    return page.locator(f"#{section}-list > li", has=page.get_by_text(name, exact=True))


def names(page: Page, section: str = "done") -> list[str]:
    found = page.locator(f"#{section}-list > li :is(h3, .name)")
    return found.all_inner_texts()


def grabbed(oven: Stack, *pieces: str) -> None:
    """Small stills of these pieces, made or failed."""
    for done in [oven.later(f"/grab/png/64/64/{piece}", headers=oven.bearer) for piece in pieces]:
        done.result()


def in_django(oven: Stack, code: str) -> Any:
    """Runs code in the service's own Python; what it assigns to `answer` comes back."""
    said = oven.manage("shell", "-v", "0", "-c", f"import json\nanswer = None\n{code}\nprint(json.dumps(answer))")
    return json.loads(said.strip().splitlines()[-1])


def sideways(page: Page) -> int:
    """By how much the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
