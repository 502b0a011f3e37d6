"""Pytest plugin: `--all` runs the tests marked `exhaustive`, which the gate leaves out, and gives others their full size.

A test is exhaustive when others in the gate prove the same rule on fewer inputs: the mark says which, as in
`@pytest.mark.exhaustive("every demo piece; the gate has those of `test_x`")`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

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

    When several processes share the files, the longest come first.
    """
    if getattr(config.option, "dist", "no") != "no" or hasattr(config, "workerinput"):
        seconds = json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}
        # Tests of a directory share a browser, so they stay together.
        items.sort(key=lambda item: (_directory(item), -seconds.get(item.nodeid.partition("::")[0], 0)))
    if config.option.all or any("::" in argument for argument in config.args):
        return
    left_out = [item for item in items if item.get_closest_marker("exhaustive")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]


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
