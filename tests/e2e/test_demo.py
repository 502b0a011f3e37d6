"""The demo on a running Oven: jobs in every state, and nothing of them is left when it is cleared away."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.e2e.stack import ROOT, Stack, free_port

JOBS = ("captures_grab", "bakes_bake", "bundles_bundle")


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With the demo's own pieces. What hangs is given up soon."""
    env = {"OVEN_DEMO_ORIGIN": f"http://127.0.0.1:{free_port()}", "OVEN_STEP_LIMIT_S": "2"}
    with Stack(tmp_path_factory.mktemp("demo") / "data", **env) as stack:
        yield stack


def states(oven: Stack) -> set[str]:
    """Of what the demo has asked for; a failure with its code."""
    text = " union all ".join(f"select state, error_code from {table} where source = 'demo'" for table in JOBS)
    return {
        f"failed {row['error_code']}" if row["state"] == "failed" else str(row["state"]) for row in oven.rows(text)
    }


def stored(oven: Stack) -> set[str]:
    root = oven.data / "files"
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def seen_while(oven: Stack, running: Future[str]) -> set[str]:
    found: set[str] = set()
    while not running.done():
        found |= states(oven)
        time.sleep(0.05)
    return found | states(oven)


@pytest.mark.exhaustive("tests/dashboard/test_demo.py has its parts")
def test_the_demo_shows_every_state_and_is_cleared_away_with_all_its_files(theatre: Stack) -> None:
    before = stored(theatre)
    running = theatre.threads.submit(theatre.manage, "demo", "--count", "14")
    seen = seen_while(theatre, running)
    said = running.result()
    assert "Without bakes" not in said
    assert {"queued", "running", "retrying", "complete", "cancelled"} <= seen
    codes = {"http_status", "bad_spec", "tape_http_status", "not_a_zip", "not_found"}
    assert codes <= {state.removeprefix("failed ") for state in seen}
    assert "Done: " in said and "queued" not in said.splitlines()[-1]
    frozen = {row["piece"]: row["reason"] for row in theatre.rows("select * from captures_frozenpiece")}
    assert frozen == {"still": "frozen", "solid": "flat", "never": "staff"}
    assert theatre.rows("select * from bakes_bake where state = 'complete' and site = 'done'")
    kinds = {row["source"] for table in JOBS for row in theatre.rows(f"select source from {table}")}
    assert kinds == {"demo"}
    assert len(stored(theatre) - before) > 10

    theatre.manage("demo", "--clear")
    rows = {table: len(theatre.rows(f"select id from {table}")) for table in (*JOBS, "bakes_delivery")}
    assert rows == dict.fromkeys(rows, 0)
    assert theatre.rows("select * from captures_frozenpiece") == []
    assert theatre.rows("select * from jobs_attempt where kind <> 'core'") == []
    assert stored(theatre) - before <= {f"art/oven/cores/{row['public_id']}.webp" for row in cores(theatre)}
    assert "nothing of a demo" in theatre.manage("demo", "--clear")


def cores(oven: Stack) -> list[dict[str, str]]:
    return oven.rows("select public_id from bundles_corebuild")


@pytest.mark.exhaustive("tests/dashboard/test_demo.py has its parts")
def test_it_goes_on_until_it_is_stopped_and_stops_cleanly(theatre: Stack, tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "demo", "--minutes", "5", "--every", "1"]
    env = {**theatre.env, "REDIS_URL": theatre.redis_url, "PYTHONUNBUFFERED": "1"}
    with (tmp_path / "out").open("w+") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=out)
        try:
            theatre.until(lambda: (tmp_path / "out").read_text().count("\n  ") >= 3, 60)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()
    text = (tmp_path / "out").read_text()
    assert "Stopped." in text and "Traceback" not in text
    theatre.manage("demo", "--clear")
    assert states(theatre) == set()
