"""Pieces that want the whole machine: each is bounded and fails by name, and the next is good."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from tests.e2e.bounds import Peak, next_is_good
from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack

PAGE_MB = 300
REQUESTS = 300

# What may become of each.
GREEDY: dict[str, set[str]] = {
    "bad-hog": {"memory"},
    "bad-textures": {"memory"},
    "bad-canvas": {"memory"},
    "bad-bomb": {"memory"},
    "bad-workers": {"memory", "crashed"},
    "bad-frames": {"memory", "hung", "timeout"},
}


@pytest.fixture(scope="module")
def stack(site: HeldSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One capture worker, so that what comes after a bad piece comes to the same one."""
    limits = {
        "OVEN_PAGE_MEMORY_MB": str(PAGE_MB),
        "OVEN_PAGE_MAX_REQUESTS": str(REQUESTS),
        "OVEN_STEP_LIMIT_S": "3",
        "OVEN_READY_LIMIT_MS": "3000",
        "OVEN_MAX_ATTEMPTS": "1",
    }
    with Stack(
        tmp_path_factory.mktemp("abused") / "data", site.origin, workers=1, kinds=("capture",), **limits
    ) as running:
        yield running


@pytest.mark.exhaustive("tests/engine/test_box.py has the bounds of a page")
@pytest.mark.parametrize("piece", list(GREEDY))
def test_a_greedy_piece_is_ended_and_the_next_is_good(stack: Stack, piece: str) -> None:
    workers = {process.pid for process in stack.children("capture_worker")}
    with Peak(stack) as peak:
        response = stack.get(f"/grab/webp/128/128/{piece}?duration=1000&fps=5")
    body = response.json()
    print(f"{piece}: {body}; {peak.start} MB at first, {peak.mb} MB at most")
    assert (response.status_code, body["code"] in GREEDY[piece], bool(body["error"])) == (500, True, True)
    assert peak.mb - peak.start < PAGE_MB * 2 + 100
    next_is_good(stack, f"after-{piece}")
    assert {process.pid for process in stack.children("capture_worker")} == workers


@pytest.mark.exhaustive("tests/engine/test_box.py has the bounds of a page")
def test_a_hundred_thousand_requests_are_cut_off_and_named(stack: Stack, site: HeldSite) -> None:
    with Peak(stack) as peak:
        response = stack.get("/grab/webp/128/128/bad-requests?duration=12000&fps=5")  # time enough on a slow machine
    body = response.json()
    print(f"{site.count('/dot?')} of 100000 requests; {peak.start} MB at first, {peak.mb} MB at most")
    assert (response.status_code, body["code"]) == (500, "requests")
    assert body["error"] == f"The page sent more than {REQUESTS} requests over the network."
    assert site.count("/dot?") <= REQUESTS * site.count("/bad-requests?")
    assert peak.mb - peak.start < PAGE_MB * 2 + 100
    next_is_good(stack, "after-requests")


@pytest.mark.exhaustive("tests/engine/test_box.py has the bounds of a page")
def test_nothing_is_left_of_them(stack: Stack) -> None:
    stack.until(lambda: len(stack.browsers()) <= 1 and len(stack.pages()) <= 1, 10)
    stack.until(lambda: not list((stack.data / "scratch").glob("*")), 10)
    assert len(list((stack.data / "browsers").iterdir())) <= 1
    assert stack.process is not None
    everybody = psutil.Process(stack.process.pid).children(recursive=True)
    assert [process for process in everybody if process.status() == psutil.STATUS_ZOMBIE] == []


@pytest.mark.exhaustive("tests/engine/test_box.py has the bounds of a page")
def test_no_worker_is_stuck(stack: Stack) -> None:
    stack.until(lambda: stack.status()["concurrency"] == {"active": 0, "max": 1, "queueDepth": 0}, 20)
    assert "does not stop" not in stack.log and "starting it again" not in stack.log
