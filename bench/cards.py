"""How long a mosaic of sixteen pieces takes, cold and warm, through the whole service.

python -m bench.cards              five rounds, for a quiet machine
python -m bench.cards --rounds 1   a look
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import facts
from bench.site import Site
from tests.e2e.stack import Stack, picture

ASKED_S = 15.0  # of a mosaic, cold, on two cores
LAYOUTS = ("mosaic", "featured", "filmstrip", "code-split")


def main() -> None:
    options = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what we have started, like Ctrl-C
    start = {"machine": facts.machine(), "versions": facts.versions(), "settings": vars(options)}
    with Site() as site, tempfile.TemporaryDirectory(prefix="bench-cards-") as folder:
        rounds = [one_round(site, Path(folder) / str(number), options.workers) for number in range(options.rounds)]
    path = facts.write("cards", options.label, {**start, "asked_s": ASKED_S, "rounds": rounds})
    print(report(rounds))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.cards", description=__doc__.splitlines()[0] if __doc__ else "")
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="each with an Oven and data of its own (default 5)")
    add("--workers", type=int, default=2, help="capture workers (default 2)")
    add("--label", default="", help="names the result file, in place of the number of cores")
    return parser.parse_args()


def one_round(site: Site, data: Path, workers: int) -> dict[str, Any]:
    """Every card cold, the mosaic first; then the mosaic once more, from new captures."""
    before = facts.load()
    with Stack(data, site.origin, workers) as oven:
        cold = {layout: timed(oven, layout) for layout in LAYOUTS}
        again = timed(oven, "mosaic", force=True)
        found = oven.rows("select layout, source, spans from captures_card where state = 'complete' order by id")
        grabs = oven.rows("select count(*) as count from captures_grab where source = 'card' and format = 'png'")
    spans = [{**row, "spans": json.loads(row["spans"])} for row in found]
    facts.say(f"mosaic {cold['mosaic']:.2f} s cold, {again:.2f} s again")
    return {"load_average": before, "cold_s": cold, "again_s": again, "cards": spans, "stills": grabs[0]["count"]}


def timed(oven: Stack, layout: str, force: bool = False) -> float:
    """Seconds from the request to the last byte of a good picture."""
    headers = oven.bearer if force else {}
    started = time.monotonic()
    answer = oven.get(f"/kidlisp-og?layout={layout}{'&force=true' if force else ''}", headers=headers)
    took = time.monotonic() - started
    if answer.headers.get("x-cache") != "MISS" or picture(answer).size != (1200, 630):
        raise RuntimeError(f"{layout}: {answer.status_code} {answer.text[:200]}")
    return round(took, 3)


def report(rounds: list[dict[str, Any]]) -> str:
    times = {f"{layout}, cold": [one["cold_s"][layout] for one in rounds] for layout in LAYOUTS}
    times["mosaic, all captured anew"] = [one["again_s"] for one in rounds]
    rows = [
        [name, f"{statistics.median(found):.2f}", f"{min(found):.2f}", f"{max(found):.2f}"]
        for name, found in times.items()
    ]
    worst = max(times["mosaic, cold"])
    verdict = f"A mosaic of 16 took at most {worst:.1f} s cold; asked: less than {ASKED_S:g} s."
    return facts.table(["seconds", "median", "least", "most"], rows) + "\n\n" + verdict


if __name__ == "__main__":
    main()
