"""How soon a page shows something: bundles from files, against the site that they were made of."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from bench import bundles_site, facts
from bench.bundles_whole import make_pages
from captures.engine.chromium import find_headless_shell

WAYS = ("site", "site, 20 ms away", "oven", "plain", "vite")
AWAY = {"offline": False, "latency": 20, "downloadThroughput": 50e6 / 8, "uploadThroughput": 50e6 / 8}
MARKS = ("first_paint", "content", "ready")
LIMIT_MS = 20_000
# The runtime says `acPieceReady = true` in the frame that it has just drawn for the first time.
WATCH = """
{
  let ready = null;
  const set = () => (ready ??= performance.now());
  Object.defineProperty(window, 'acPieceReady', { get: () => ready !== null, set });
  window.marks = () => {
    const at = (name) => performance.getEntriesByName(name)[0]?.startTime ?? null;
    return { first_paint: at('first-paint'), content: at('first-contentful-paint'), ready };
  };
}
"""


def measure(folder: Path, node: str, rounds: int) -> dict[str, Any]:
    tree = bundles_site.make_tree(folder / "site")
    bundles_site.use(tree.root)
    pages = make_pages(tree, node, folder)
    with bundles_site.Site(tree.root) as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_headless_shell() or None, chromium_sandbox=False)
        visits = [
            {"round": number, "piece": name, "way": way, **visit(browser, address(site, name, files, way), way)}
            for number in range(rounds + 1)
            for name, files in pages.items()
            for way in WAYS
        ]
        browser.close()
    return {"visits": [one for one in visits if one["round"] > 0]}  # the first round warms the browser up


def address(site: bundles_site.Site, name: str, files: dict[str, Path], way: str) -> str:
    return site.url(name) if way.startswith("site") else files[way].as_uri()


def visit(browser: Browser, url: str, way: str) -> dict[str, Any]:
    """Milliseconds from the start of navigation, in a context whose cache is empty."""
    context = browser.new_context(viewport={"width": 512, "height": 512})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(WATCH)
    if "away" in way:
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", AWAY)
    page.goto(url, wait_until="commit")
    page.wait_for_function("window.acPieceReady", timeout=LIMIT_MS)
    page.wait_for_timeout(300)  # the entry of a paint comes after it
    found = dict(page.evaluate("marks()"))
    context.close()
    assert not errors, errors
    facts.say(f"{url.split('/')[-1][:30]}, {way}: {found}")
    return found


def report(results: dict[str, Any]) -> str:
    visits = results["visits"]
    names = list(dict.fromkeys(one["piece"] for one in visits))
    rows = [table_row(visits, name, mark) for name in names for mark in MARKS]
    return facts.table(["ms (to the site's)", *WAYS], rows)


def table_row(visits: list[dict[str, Any]], name: str, mark: str) -> list[str]:
    cells = [name + ", " + mark.replace("_", " ")]
    floor = median(visits, name, WAYS[0], mark)
    for way in WAYS:
        own = median(visits, name, way, mark)
        cells.append(f"{own:.0f} ({floor / own:.2f})" if own and floor else "none")
    return cells


def median(visits: list[dict[str, Any]], name: str, way: str, mark: str) -> float:
    """0 when the browser had nothing to tell."""
    values = [one[mark] for one in visits if (one["piece"], one["way"]) == (name, way) and one[mark] is not None]
    return statistics.median(values) if values else 0.0
