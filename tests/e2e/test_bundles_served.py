"""Bundles through the whole service: made, streamed, opened; and what breaks meanwhile."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.bundles.sse_parser import parse_stream
from tests.e2e.stack import ROOT, Stack


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source tree of our own, to be broken."""
    place = tmp_path_factory.mktemp("tree") / "pieces"
    shutil.copytree(ROOT / "pieces", place, ignore=shutil.ignore_patterns("__pycache__"))
    return place


@pytest.fixture(scope="module")
def bundler(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With the demo piece site as its piece site."""
    data = tmp_path_factory.mktemp("bundler") / "data"
    with Stack(data, kinds=("bundle",), OVEN_BUNDLE_SOURCE=str(tree), OVEN_RETRY_BASE_S="0.2") as stack:
        yield stack


def cores(bundler: Stack) -> list[dict[str, Any]]:
    return bundler.rows("select * from bundles_corebuild order by id")


def settled(bundler: Stack) -> list[dict[str, Any]]:
    """All builds, once none is under way and the scheduler has had a look at the tree."""
    bundler.until(lambda: all(row["state"] in ("complete", "failed") for row in cores(bundler)), 60)
    return cores(bundler)


def streamed(bundler: Stack, query: str) -> tuple[float, list[tuple[str, dict[str, Any]]]]:
    """Seconds until the first event, and all events."""
    started, first, body = time.monotonic(), 0.0, b""
    with bundler.http.stream("GET", f"/bundle-html?{query}&format=stream") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        for chunk in answer.iter_raw():
            first = first or time.monotonic() - started
            body += chunk
    return first, parse_stream(body)


def test_many_at_once_on_a_cold_core_make_one_build(bundler: Stack) -> None:
    names = ["orbit", "prism", "tiles", "waves", "still", "solid"]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda name: bundler.get(f"/bundle-html?piece={name}"), names * 2))
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.text.startswith("<!doctype html>") for answer in answers)
    assert [row["state"] for row in settled(bundler)] == ["complete"]


def test_a_program_is_bundled_with_its_author(bundler: Stack) -> None:
    found = bundler.get("/bundle-html?code=$bloom&format=json&noboxart=1").json()
    assert found["authorHandle"] == "ada"
    assert found["filename"].startswith("$bloom-ada-")
    assert found["filename"].endswith(".lisp.html")
    assert base64.b64decode(found["content"]).startswith(b"<!doctype html>")


def test_the_stream_begins_at_once_and_ends_with_the_file(bundler: Stack) -> None:
    first, events = streamed(bundler, "piece=notes")
    assert first < 2
    assert [name for name, _ in events][-1] == "complete"
    stages = [data["stage"] for name, data in events if name == "progress"]
    assert "init" in stages
    assert base64.b64decode(events[-1][1]["content"]).startswith(b"<!doctype html>")


def test_an_unknown_one_is_404_or_an_error_event(bundler: Stack) -> None:
    for query in ("piece=no-such-piece", "code=nosuchcode"):
        answer = bundler.get(f"/bundle-html?{query}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        _, events = streamed(bundler, query)
        assert events[-1][0] == "error"


def test_an_opened_bundle_runs_in_its_sandbox(bundler: Stack, chromium: Browser) -> None:
    page = chromium.new_page()
    outside: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{bundler.base}/bundle-html?piece=orbit&inline=1")
    ready = "window.acPieceReady === true"
    bundler.until(lambda: page.evaluate(ready), 10)
    assert page.evaluate("self.origin") == "null"  # an origin of its own: it is no page of Oven's
    assert problems == []
    assert [url for url in outside if not url.startswith(("blob:", "data:"))] == [page.url]
    page.close()


def test_a_client_that_goes_away_leaves_nothing_behind(bundler: Stack) -> None:
    def readers() -> set[bytes]:
        """Who listens for events about jobs (workers listen to the queue as well)."""
        found: Any = bundler.redis().pubsub_channels()
        return {name for name in found if not name.startswith(b"rq:")}

    before = readers()
    for number in range(5):
        with bundler.http.stream("GET", f"/bundle-html?piece=orbit&density={number + 1}&format=stream") as answer:
            next(answer.iter_raw())
    rows = "select state from bundles_bundle where piece = 'orbit'"
    ended = {"complete", "cancelled"}  # what still waits when its only caller leaves is cancelled
    bundler.until(lambda: {row["state"] for row in bundler.rows(rows)} <= ended, 30)
    bundler.until(lambda: readers() <= before, 20)


def test_a_broken_runtime_is_told_and_the_last_good_one_serves(bundler: Stack, tree: Path) -> None:
    main = tree / "runtime" / "main.mjs"
    good = main.read_text()
    try:
        main.write_text(good + "\nconst broken = ;\n")
        bundler.until(lambda: settled(bundler)[-1]["state"] == "failed", 60)
        told = bundler.get("/bundle-status").json()
        assert "runtime/main.mjs:" in told["lastFailure"]
        assert told["cached"] is True
        answer = bundler.get("/bundle-html?piece=waves&density=3")
        assert answer.status_code == 200
    finally:
        main.write_text(good)
    bundler.until(lambda: settled(bundler)[-1]["state"] == "complete", 60)


@pytest.mark.exhaustive("the gate has a runtime that is broken")
def test_a_runtime_that_draws_nothing_does_not_go_into_service(bundler: Stack, tree: Path) -> None:
    main = tree / "runtime" / "main.mjs"
    good, service = main.read_text(), settled(bundler)[-1]["id"]
    try:
        main.write_text("fetch('https://elsewhere.example/x'); document.body.replaceChildren();\n")
        bundler.until(lambda: settled(bundler)[-1]["error_code"] == "check", 90)
        reason = bundler.get("/bundle-status").json()["lastFailure"]
        assert "does not run offline" in reason
        assert "elsewhere.example" in reason
        answer = bundler.get("/bundle-html?piece=waves&density=4")
        assert answer.status_code == 200
        assert bundler.rows("select core_id from bundles_bundle order by id desc")[0]["core_id"] == service
    finally:
        main.write_text(good)
    bundler.until(lambda: settled(bundler)[-1]["state"] == "complete", 60)


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("export function paint() {\n  let x = ;\n}\n", "syntax", "pieces/odd.mjs:2:11"),
        ("import './missing.mjs';\nexport function paint() {}\n", "missing_import", "pieces/odd.mjs"),
        ("import '../../../secret.mjs';\nexport function paint() {}\n", "outside_tree", "pieces/odd.mjs"),
    ],
)
def test_a_broken_piece_says_where(bundler: Stack, tree: Path, source: str, code: str, said: str) -> None:
    (tree / "pieces" / "odd.mjs").write_text(source)
    try:
        answer = bundler.get("/bundle-html?piece=odd")
        assert (answer.status_code, answer.json()["code"]) == (500, code)
        assert said in answer.json()["error"]
        assert "Traceback" not in answer.text
    finally:
        (tree / "pieces" / "odd.mjs").unlink()


def test_a_worker_that_is_killed_in_mid_build_leaves_nothing_half_done(bundler: Stack, tree: Path) -> None:
    settled(bundler)
    (tree / "runtime" / "main.mjs").open("a").write("\n// changed\n")
    count = len(cores(bundler))
    bundler.until(lambda: len(cores(bundler)) > count and cores(bundler)[-1]["state"] == "running", 60, 0.005)
    worker = int(cores(bundler)[-1]["worker"].rsplit(":", 2)[1])
    assert worker in {process.pid for process in bundler.children("bundle_worker")}
    os.kill(worker, signal.SIGKILL)
    bundler.until(lambda: cores(bundler)[-1]["state"] == "complete", 60)
    assert cores(bundler)[-1]["attempt"] == 2
    bundler.until(lambda: not list((bundler.data / "scratch").glob("*")), 10)
    bundler.until(lambda: len(bundler.children("engine/worker/main.mjs")) <= 1, 10)
    assert bundler.get("/bundle-html?piece=tiles&density=5").status_code == 200


@pytest.mark.exhaustive("every start of a prepared Stack has the cores of the last one")
def test_cores_survive_a_restart(bundler: Stack) -> None:
    before = len(settled(bundler))
    bundler.stop()
    bundler.start()
    started = time.monotonic()
    assert bundler.get("/bundle-html?piece=prism&density=6").status_code == 200
    assert time.monotonic() - started < 5
    time.sleep(3)
    assert len(settled(bundler)) == before


def test_prewarming_packs_the_runtime_anew(bundler: Stack) -> None:
    answer = bundler.post("/bundle-prewarm")
    assert answer.status_code == 200
    assert answer.json()["fileCount"] == bundler.get("/bundle-status").json()["fileCount"] > 0
