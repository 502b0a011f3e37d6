"""Pictures of pages in every look, kept as artifacts of a test run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = Path(os.environ.get("SHOTS_DIR") or ROOT / "var" / "test-artifacts" / "screens")
# The admin's theme looks at the system's only once.
ADMIN_THEME = "theme => { if (window.Alpine) Alpine.$data(document.documentElement).adminTheme = theme }"
THEMES, WIDTHS, HEIGHT = ("light", "dark"), (1440, 390), 900


def looks(page: Page) -> Iterator[tuple[str, int]]:
    """Puts a page into light and dark, wide and narrow, one after another: the theme and the width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for theme in THEMES:
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page.evaluate(ADMIN_THEME, theme)
            yield theme, width


def keep(page: Page, name: str, theme: str, width: int) -> Path:
    """One picture of the page as it is, down to its end (of very long ones the beginning)."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    path = DIRECTORY / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}-{theme}-{width}.png"
    tall = int(page.evaluate("Math.min(document.documentElement.scrollHeight, 4000)"))
    page.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": max(tall, HEIGHT)})
    return path


def shots(page: Page, name: str) -> list[Path]:
    """Pictures of a page in all four looks: `name-light-1440.png` and so on."""
    return [keep(page, name, theme, width) for theme, width in looks(page)]
