"""Ten thousand failed grabs requeued at once and taken back, next to asking for each again by itself.

python -m bench.bulk           three rounds of 10,000 rows
python -m bench.bulk --quick   one round of 1,000
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench import facts
from tests.e2e.stack import Stack

ONE_BY_ONE = 100
FILL = """
from captures.models import Grab
from captures.requests import parse
from django.utils import timezone
now = timezone.now()
wishes = [parse({{"piece": f"p{{n}}", "width": 64, "height": 64}}) for n in range({rows})]
rows = [Grab(public_id=f"p{{n}}-bench", piece=w.piece, format="webp", out_width=64, out_height=64, attempt=3,
    capture_key=w.capture_key, spec=w.as_json(), state="failed", error_code="bench", started_at=now, ended_at=now)
    for n, w in enumerate(wishes)]
Grab.objects.bulk_create(rows, batch_size=1000)
"""


def main() -> None:
    options = parse()
    start = {"machine": facts.machine(), "versions": facts.versions(), "settings": vars(options)}
    # With the tests' short undo window the first rows would start before the last are written.
    data = tempfile.TemporaryDirectory(prefix="bench-bulk-")
    with data as directory, Stack(Path(directory) / "data", OVEN_UNDO_S="60") as oven:
        oven.manage("shell", "-c", FILL.format(rows=options.rows))
        with closing(oven.staff()) as staff:
            runs = [one_round(oven, staff, options.rows) for _ in range(options.rounds)]
            each_ms = one_by_one(oven, staff)
    summary = summarise(runs, each_ms, options.rows)
    path = facts.write("bulk", options.label, {**start, "summary": summary, "runs": runs, "one_by_one_ms": each_ms})
    print(report(summary, options.rows))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.bulk", description=__doc__.splitlines()[0] if __doc__ else "")
    add = parser.add_argument
    add("--rows", type=int, default=10_000, help="that failed (default 10,000)")
    add("--rounds", type=int, default=3, help="of requeueing and undoing (default 3)")
    add("--label", default="", help="names the machine in the result's file")
    add("--quick", action="store_true", help="a look, not a result")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.rounds = 1000, 1
    return options


def one_round(oven: Stack, staff: httpx.Client, rows: int) -> dict[str, Any]:
    """Count, confirm, see all of them queued, undo; somebody reads the page's state all the while."""
    fields = {"action": "again", "code": "bench"}
    with reading(staff) as states:
        counted_ms, counted = timed(lambda: staff.get("/live/bulk", params=fields).json())
        started_ms, answer = timed(
            lambda: staff.post("/live/bulk", data={**fields, "expect": counted["count"]}).json()
        )
        queued = count(oven, "queued")
        undone_ms, undone = timed(lambda: staff.post(f"/live/bulk/{answer['bulk']['id']}/undo").json())
    assert (counted["count"], queued, count(oven, "queued")) == (rows, rows, 0), (counted, queued)
    assert undone["bulk"]["state"] == "cancelled", undone
    return {"count": counted_ms, "requeue": started_ms, "undo": undone_ms, "states": states, "load": facts.load()}


def one_by_one(oven: Stack, staff: httpx.Client) -> list[float]:
    """The peer: what the same endpoint needs for one row, asked for in turn."""
    rows = oven.rows("select public_id from captures_grab where error_code = 'bench' limit ?", ONE_BY_ONE)
    return [timed(lambda row=row: staff.post(f"/live/job/{row['public_id']}/again"))[0] for row in rows]  # type: ignore[misc]


@contextmanager
def reading(staff: httpx.Client) -> Iterator[list[float]]:
    """Reads /live/state again and again, as a screen that refetches; gives the milliseconds of each."""
    found: list[float] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found.append(timed(lambda: staff.get("/live/state"))[0])
            time.sleep(0.1)

    thread = threading.Thread(target=read)
    thread.start()
    yield found
    done.set()
    thread.join()


def timed(call: Any) -> tuple[float, Any]:
    """Milliseconds, and what it gave."""
    begin = time.perf_counter()
    result = call()
    return (time.perf_counter() - begin) * 1000, result


def count(oven: Stack, state: str) -> int:
    return int(oven.rows("select count(*) as n from captures_grab where state = ?", state)[0]["n"])


def summarise(runs: list[dict[str, Any]], each_ms: list[float], rows: int) -> dict[str, Any]:
    requeue = statistics.median(run["requeue"] for run in runs)
    states = [ms for run in runs for ms in run["states"]]
    return {
        **{name: round(statistics.median(run[name] for run in runs)) for name in ("count", "requeue", "undo")},
        "slowest requeue": round(max(run["requeue"] for run in runs)),
        "state p95": round(sorted(states)[int(len(states) * 0.95) - 1]),
        "one by one": round(statistics.median(each_ms) * rows),
        "ratio": round(statistics.median(each_ms) * rows / requeue, 1),
    }


def report(summary: dict[str, Any], rows: int) -> str:
    lines = [f"| {rows:,} failed grabs | ms |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {value:,} |" for name, value in summary.items())])


if __name__ == "__main__":
    main()
