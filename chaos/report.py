"""The table of rounds: printed as they end, and kept with all figures."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chaos.invariants import Breach
from chaos.load import Load
from chaos.plan import Plan
from oven.version import VERSION

COLUMNS = (
    ("round", 5),
    ("fault", 9),
    ("kills", 5),
    ("accepted", 8),
    ("cut off", 7),
    ("complete", 8),
    ("failed", 6),
    ("lost runs", 9),
    ("settled", 7),
    ("orphan", 6),
    ("cleared", 7),
    ("held", 4),
)
EXPLAINED = """\
kills: processes that got a SIGKILL
accepted: requests that were answered with a job or its result; cut off: those without an answer
complete, failed: jobs that ended; lost runs: attempts whose worker was gone
settled: seconds until everything had ended
orphan: the longest that a row said it runs without a live worker, in seconds after the fault
cleared: files without an owner that the sweep took away
held: every invariant"""


@dataclass
class Round:
    """Counters as their names say; times in seconds."""

    number: int
    fault: str
    strike_s: float
    kills: Counter[str]
    notes: Counter[str]
    accepted: int
    answers: Counter[str]
    ended: Counter[str]
    settle_s: float
    longest_orphan_s: float
    cleared: int
    breaches: list[Breach]

    def sum(self, state: str) -> int:
        """Jobs of any kind that came to this end."""
        return sum(count for name, count in self.ended.items() if state in name.split()[1:2])


def begin(plan: Plan, skipped: dict[str, str]) -> None:
    for name, why in skipped.items():
        print(f"without {name}: {why}")
    print(f"seed {plan.seed}, {plan.strike_s:g} s of load and fault a round, {plan.clients} callers")
    print("  ".join(f"{name:>{width}}" for name, width in COLUMNS), flush=True)


def row(found: Round) -> None:
    values = (
        found.number,
        found.fault,
        found.kills.total(),
        found.accepted,
        found.answers["cut off"],
        found.sum("complete"),
        found.sum("failed"),
        found.ended["attempts lost"],
        f"{found.settle_s:.0f}",
        f"{found.longest_orphan_s:.0f}",
        found.cleared,
        "no" if found.breaches else "yes",
    )
    print("  ".join(f"{value:>{width}}" for value, (_, width) in zip(values, COLUMNS, strict=True)))
    for broken in found.breaches:
        print(f"      {broken}")
    print("", end="", flush=True)


def end(
    plan: Plan,
    rounds: list[Round],
    skipped: dict[str, str],
    breaches: list[Breach],
    load: Load,
    seconds: float,
) -> None:
    print(EXPLAINED)
    for broken in breaches:
        print(f"at the end: {broken}")
    totals = summary(rounds, breaches, seconds)
    print("\n".join(f"{name}: {_text(value)}" for name, value in totals.items()), flush=True)
    if plan.json:
        _keep(plan, rounds, skipped, breaches, load, totals)


def summary(rounds: list[Round], breaches: list[Breach], seconds: float) -> dict[str, Any]:
    kills: Counter[str] = sum((found.kills for found in rounds), Counter())
    ended: Counter[str] = sum((found.ended for found in rounds), Counter())
    all_breaches = [broken for found in rounds for broken in found.breaches] + breaches

    def broken(*names: str) -> int:
        return sum(entry.count for entry in all_breaches if entry.name in names)

    return {
        "rounds": len(rounds),
        "minutes": round(seconds / 60, 1),
        "kills": kills.total(),
        "by role": dict(kills.most_common()),
        "accepted": sum(found.accepted for found in rounds),
        "ended": dict(sorted(ended.items())),
        "lost": broken("accepted, but without a row"),
        "stuck": broken("running without a live worker for over 30 s", "neither ended nor waiting"),
        "duplicates": broken(
            "several results of one request", "artifacts of a job beside its own", "told under several names"
        ),
        "breaches": sum(entry.count for entry in all_breaches),
    }


def _text(value: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in value.items()) if isinstance(value, dict) else str(value)


def _keep(
    plan: Plan,
    rounds: list[Round],
    skipped: dict[str, str],
    breaches: list[Breach],
    load: Load,
    totals: dict[str, Any],
) -> None:
    facts = {
        "version": VERSION,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "plan": {**asdict(plan), "json": ""},
        "skipped": skipped,
        "summary": totals,
        "answers": dict(load.answers),
        "at the end": [asdict(broken) for broken in breaches],
        "rounds": [{**vars(found), "breaches": list(map(asdict, found.breaches))} for found in rounds],
    }
    Path(plan.json).write_text(json.dumps(facts, indent=1) + "\n")
