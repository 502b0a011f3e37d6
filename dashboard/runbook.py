"""Where each alert leads: what it is about, and its row of the table in docs/operations.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import reverse

from oven.ops.health import alerts

DOCUMENT = Path(settings.BASE_DIR) / "docs" / "operations.md"
POOL = "<pool>"  # stands for each of the pools in a code
ROW = re.compile(r"^\| `([\w<>]+)` \| (.+) \| (.+) \|$", re.MULTILINE)
Parts = list[tuple[bool, str]]  # of a text: whether it is code, and the words

# Code: the name of the link, its address, and the permission that its page needs. Others have their row only.
WAITING, RUNNING, FAILED = "/?state=queued#next-title", "/?state=running#now-title", "/?state=failed#done-title"
WORKERS = ("Workers", "/#workers-box", "")
TARGETS: dict[str, tuple[str, str, str]] = {
    "queue": ("Waiting jobs", WAITING, ""),
    "running": ("Running jobs", RUNNING, ""),
    "failures": ("Failed jobs", FAILED, ""),
    "memory": WORKERS,
    f"workers_{POOL}": WORKERS,
    "disk": ("Stored files", "admin:artifacts_artifact_changelist", "artifacts.view_artifact"),
    "callbacks": ("Deliveries", "admin:bakes_delivery_changelist?state__exact=failed", "bakes.view_delivery"),
    "core": ("Core builds", "admin:bundles_corebuild_changelist", "bundles.view_corebuild"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `codes` are its anchors."""

    name: str
    codes: list[str]
    means: Parts
    do: Parts


def links(user: Any) -> dict[str, list[dict[str, str]]]:
    """Return the links of every code, for somebody who may follow them."""
    return {code: _links(code, user) for code in alerts.codes()}


def _links(code: str, user: Any) -> list[dict[str, str]]:
    found = [{"label": "What to do", "href": f"{reverse('alerts')}#{code}"}]
    label, address, permission = TARGETS.get(_general(code), ("", "", ""))
    if address and (not permission or (user.is_staff and user.has_perm(permission))):
        found.insert(0, {"label": label, "href": _href(address)})
    return found


def _general(code: str) -> str:
    return f"workers_{POOL}" if code.startswith("workers_") else code


def _href(address: str) -> str:
    name, mark, query = address.partition("?")
    return f"{reverse(name)}{mark}{query}" if name.startswith("admin:") else address


@cache
def rows() -> list[Row]:
    """Read the table of the alerts that there can be. Raises OSError."""
    known = set(alerts.codes())
    found = []
    for name, means, do in ROW.findall(DOCUMENT.read_text()):
        codes = [name.replace(POOL, pool) for pool in settings.POOLS] if POOL in name else [name]
        if known.issuperset(codes):
            found.append(Row(name, codes, _parts(means), _parts(do)))
    return found


def _parts(text: str) -> Parts:
    return [(number % 2 == 1, part) for number, part in enumerate(text.split("`")) if part]
