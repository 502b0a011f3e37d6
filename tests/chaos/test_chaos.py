"""A whole scratch Oven under load, broken in every way that is possible here: `manage.py chaos`, but short.

The gate runs one short round of every fault under a light load; `--all` kills more, and strikes longer under more load.
For long: manage.py chaos --faults kill --kills 1000 --minutes 0 --strike-s 60
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chaos import faults, postgres
from tests.e2e.prepared import EMPTY, prepared
from tests.harness.covered import note

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 600  # of a machine that does much else
FAULTS = tuple(name for name in faults.FAULTS if name != "restart")  # on PostgreSQL only: a test of its own


@dataclass(frozen=True)
class Size:
    """How many kills at least, and the options of the command."""

    kills: int
    options: tuple[str, ...]


GATE = Size(10, ("--strike-s=0.5", "--kill-s=3", "--rate=5", "--clients=1", "--workers=1", "--bakes=1"))
FULL = Size(50, ("--strike-s=1.5", "--kill-s=10", "--rate=10", "--clients=4", "--bakes=1"))


def chaos(place: Path, *args: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, all figures, and what it printed."""
    kept = place / "chaos.json"
    command = [sys.executable, "manage.py", "chaos", f"--json={kept}", *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    print(done.stdout, done.stderr)
    return done.returncode, json.loads(kept.read_text()) if kept.exists() else {}, done.stdout + done.stderr


@pytest.fixture(scope="module")
def size(full_size: bool) -> Size:
    return FULL if full_size else GATE


@pytest.fixture(scope="module")
def broken(size: Size, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], str]:
    length = ["--minutes=0", f"--kills={size.kills}", f"--database={prepared() / EMPTY}", *size.options]
    return chaos(tmp_path_factory.mktemp("chaos"), f"--faults={','.join(FAULTS)}", *length)


def test_nothing_is_lost_stuck_or_doubled_whatever_is_broken(
    broken: tuple[int, dict[str, Any], str], size: Size
) -> None:
    code, found, printed = broken
    assert code == 0, printed
    totals = found["summary"]
    assert totals["kills"] >= size.kills
    assert {name: totals[name] for name in ("lost", "stuck", "duplicates", "breaches")} == {
        "lost": 0,
        "stuck": 0,
        "duplicates": 0,
        "breaches": 0,
    }
    assert {"grab", "bake", "bundle"} <= {name.split()[0] for name in totals["ended"]}
    assert totals["accepted"] >= len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_round_has_held(broken: tuple[int, dict[str, Any], str], fault: str) -> None:
    _, found, _ = broken
    note("fault", fault)
    if fault in found["skipped"]:
        pytest.skip(found["skipped"][fault])
    rounds = [entry for entry in found["rounds"] if entry["fault"] == fault]
    assert rounds
    assert [entry["breaches"] for entry in rounds] == [[]] * len(rounds)
    assert all(entry["kills"] or entry["notes"] for entry in rounds)  # it has really struck


def test_the_table_shows_every_round(broken: tuple[int, dict[str, Any], str]) -> None:
    _, found, printed = broken
    rows = [line.split() for line in printed.splitlines() if line.endswith(("  yes", "   no"))]
    assert [(int(row[0]), row[1]) for row in rows] == [(entry["number"], entry["fault"]) for entry in found["rounds"]]


def test_a_postgresql_that_is_restarted_loses_nothing(tmp_path: Path, full_size: bool) -> None:
    note("fault", "restart")
    if reason := postgres.missing():
        pytest.skip(reason)
    size = ["--strike-s=8", "--clients=2"] if full_size else ["--strike-s=3", "--clients=1"]
    size += ["--rounds=1", "--workers=1", "--bakes=1"]
    code, found, printed = chaos(tmp_path, "--postgres", "--faults=restart", *size)
    assert code == 0, printed
    [round_] = found["rounds"]
    assert round_["notes"]["restarted"] >= 1
    assert round_["accepted"] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"faults": "kill,gremlins"}, "--faults: 'gremlins' is not one of kill, power,"),
        ({"database": "/nowhere.sqlite3"}, "--database: '/nowhere.sqlite3' is not a file"),
        ({"database": __file__, "postgres": True}, "--database: a SQLite file is of no use with --postgres"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_starts(options: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)) as caught:
        call_command("chaos", **options)
    assert caught.value.returncode == 2
