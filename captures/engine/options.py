"""Options for pages that were not made for Oven: an emulated visitor, interaction, and which part is captured."""

from __future__ import annotations

from dataclasses import dataclass

MAX_HEIGHT = 8192  # CSS pixels of a whole page
KEYS = {  # name: code and number of the key, and the text that it writes
    "Enter": ("Enter", 13, "\r"),
    "Space": ("Space", 32, " "),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "Backspace": ("Backspace", 8, ""),
    "Delete": ("Delete", 46, ""),
    "Home": ("Home", 36, ""),
    "End": ("End", 35, ""),
    "PageUp": ("PageUp", 33, ""),
    "PageDown": ("PageDown", 34, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}


@dataclass(frozen=True, slots=True)
class PageOptions:
    """Which part of a page is captured, what is done before, and which visitor is emulated. Sizes are CSS pixels."""

    selector: str = ""  # only the first element that matches
    padding: int = 0  # around it
    full_page: bool = False
    clicks: tuple[str, ...] = ()  # selectors, in this order
    keys: tuple[str, ...] = ()  # pressed after the clicks: one character, or one of KEYS
    wait_for: str = ""  # a selector, or an expression that becomes true
    user_agent: str = ""
    color_scheme: str = ""  # light or dark
    timezone: str = ""  # as Europe/Berlin
    locale: str = ""  # as de-DE
    headers: tuple[tuple[str, str], ...] = ()  # of every request of the page
    cookies: tuple[tuple[str, str], ...] = ()  # of the page's own host

    @property
    def crops(self) -> bool:
        return bool(self.selector or self.full_page)


NO_OPTIONS = PageOptions()
