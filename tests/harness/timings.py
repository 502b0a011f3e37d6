"""Pytest plugin: record how long every test takes, and write it to a JSON file when the run ends.

The file is `$TEST_RESULTS`, or `var/test-artifacts/results/pytest.json`. `bin/test` sets one for each of its phases
and prints tables made from them.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_RESULTS = ROOT / "var" / "test-artifacts" / "results" / "pytest.json"


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended, in seconds.

    With `TEST_CPU=tree` that of the processes below it too, as browsers and workers are that still run: what a test
    takes is then counted for this test, and not for the one that stops them. That costs some milliseconds a test.
    """
    if os.environ.get("TEST_CPU") != "tree":
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)
    this = psutil.Process()
    seconds = 0.0
    for process in [this, *this.children(recursive=True)]:
        with suppress(psutil.Error):
            seconds += sum(process.cpu_times()[:4])  # user and system, its own and those of its ended children
    return seconds


class Timings:
    """Collect the reports of one run. Only the process that controls the run has one."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.results = Path(os.environ.get("TEST_RESULTS") or DEFAULT_RESULTS)
        self.started = time.time()
        self.tests: dict[str, dict[str, Any]] = {}
        self.deselected = 0

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.deselected += len(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        node = report.nodeid.partition("@")[0]  # the rest is the xdist group
        test = self.tests.setdefault(
            node,
            {"id": node, "outcome": "passed", "setup": 0.0, "call": 0.0, "teardown": 0.0, "cpu": 0.0, "message": ""},
        )
        test[report.when] = round(report.duration, 4)
        test["worker"] = getattr(report, "worker_id", "main")
        properties = dict(report.user_properties)
        test["cpu"] = round(properties.get("cpu", test["cpu"]), 4)
        test["covers"] = properties.get("covers", [])
        test.setdefault("at", round(getattr(report, "start", self.started) - self.started, 3))
        if report.outcome == "failed" or (report.outcome == "skipped" and test["outcome"] == "passed"):
            test["outcome"] = report.outcome
            test["message"] = _message(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        seconds = round(time.time() - self.started, 2)
        found = {
            "seconds": seconds,
            "cpu": round(cpu_seconds(), 2),
            "exit": int(exitstatus),
            "deselected": self.deselected,
            "tests": list(self.tests.values()),
        }
        self.results.parent.mkdir(parents=True, exist_ok=True)
        self.results.write_text(json.dumps(found))


def _message(report: pytest.TestReport) -> str:
    """Return the reason of a failure or a skip in one line."""
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    return next((line for line in text.splitlines() if line.strip()), "")[:300]


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(Timings(config), "oven-timings")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    item.stash[_CPU] = cpu_seconds()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        item.user_properties.append(("cpu", cpu_seconds() - item.stash[_CPU]))


_CPU = pytest.StashKey[float]()
