"""Pytest plugin: `--all` runs the tests marked `exhaustive`, which the gate leaves out, and gives others their full size.

A test is exhaustive when others in the gate prove the same rule on fewer inputs: the mark says which, as in
`@pytest.mark.exhaustive("every demo piece; the gate has those of `test_x`")`.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parents[2]
SHARED_OVEN = re.compile(r"\b(oven: Stack|screens: Screens)\b")  # as arguments
DURATIONS = Path(__file__).with_name(
    "durations.json"
)  # seconds by file: `python -m tests.harness.gate --record-durations`


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="also run the tests marked `exhaustive`, at full size")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "exhaustive(reason): left out of the gate; `--all` runs it")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is exhaustive, unless `--all` or a test's node ID is given.

    When several processes share the files, those that one process has together come first, then the longest.
    """
    if getattr(config.option, "dist", "no") != "no" or hasattr(config, "workerinput"):
        seconds = json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}

        def rank(item: pytest.Item) -> tuple[bool, str, int]:
            file = _file(item)
            # Tests of a directory share a browser, so they stay together.
            return not uses_shared_oven(file), _directory(item), -seconds.get(file, 0)

        items.sort(key=rank)
    unseen = {item.nodeid for item in items if _has_shared_oven(item) and not uses_shared_oven(_file(item))}
    if unseen:
        raise pytest.UsageError(
            f"name the shared Oven `oven: Stack`, or nobody sees that it is used: {sorted(unseen)}"
        )
    if config.option.all or any("::" in argument for argument in config.args):
        return
    left_out = [item for item in items if item.get_closest_marker("exhaustive")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]


class _SharedOvenTogether(LoadFileScheduling):
    """Give each file to a process, and to one process all files that use the shared Oven.

    A start of an Oven costs as much as ten captures.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "the shared Oven" if uses_shared_oven(file) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return _SharedOvenTogether(config, log) if config.option.dist == "loadfile" else None


@cache
def uses_shared_oven(file: str) -> bool:
    """Return whether a test file, named from the root on, uses the fixture `oven` of `tests/e2e/conftest.py`."""
    return file.startswith("tests/e2e/") and bool(SHARED_OVEN.search((ROOT / file).read_text()))


def _has_shared_oven(item: pytest.Item) -> bool:
    return _directory(item) == "e2e" and "oven" in getattr(item, "fixturenames", ())


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def _directory(item: pytest.Item) -> str:
    """Return the directory whose tests share a browser; empty for all others."""
    parts = item.nodeid.split("/")
    return parts[1] if parts[1] in ("browser", "e2e", "fuzz") else ""


def sampled(values: list[Any], gate: list[Any], reason: str) -> list[Any]:
    """Return parameters for `parametrize`: all of `values`, marked as exhaustive unless they are in `gate`.

    A tuple holds the values of several parameters.
    """
    unknown = [value for value in gate if value not in values]
    if unknown:
        raise ValueError(f"not among the values: {unknown}")
    mark = pytest.mark.exhaustive(reason)
    return [
        value if value in gate else pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=mark)
        for value in values
    ]


@pytest.fixture(scope="session")
def full_size(request: pytest.FixtureRequest) -> bool:
    """Return whether this run is `--all`: for tests whose number of rounds or cases depends on it."""
    return bool(request.config.option.all)
