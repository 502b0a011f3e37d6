"""What axe says of a page that is serious or critical."""

from __future__ import annotations

from collections.abc import Sequence

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

# Only rules that can find something serious are run: those that are on by default, and whose impact is that.
RUN = """([without, leaveOut]) => {
    const runs = rule => rule.enabled && ["serious", "critical"].includes(rule.impact)
        && !rule.tags.some(tag => axe._audit.tagExclude.includes(tag)) && !leaveOut.includes(rule.id);
    const values = axe._audit.rules.filter(runs).map(rule => rule.id);
    const options = { resultTypes: ["violations"], runOnly: { type: "rule", values } };
    return axe.run({ include: ["html"], exclude: without }, options).then(found => found.violations);
}"""


def violations(page: Page, leave_out: Sequence[str] = (), without: Sequence[str] = ()) -> list[str]:
    """One line for each element that breaks a rule. `leave_out` names rules, `without` selects parts of the page."""
    if not page.evaluate("'axe' in window"):  # it is large: once for each document
        page.evaluate(AXE_SCRIPT)
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:120]} {node['failureSummary'][-230:]}"
        for rule in page.evaluate(RUN, [list(without), list(leave_out)])
        for node in rule["nodes"]
    ]
