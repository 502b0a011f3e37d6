"""A thousand requests at once: for an icon that is there, for a static file of the same server, for one that is not.

python -m bench.icons            the full run, about a minute
python -m bench.icons --quick    a look
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from bench import facts
from bench.site import Site
from tests.e2e.stack import Stack

STATIC = "/static/oven/live/dom.js"
WARM = "/icon/128x128/orbit.png"
LIMIT = 3.0  # the icon's p95 may be so many times the static file's


class Answer(NamedTuple):
    status: int
    cache: str
    latency_s: float


def main() -> None:
    options = parse()
    with (
        Site() as site,
        tempfile.TemporaryDirectory(prefix="oven-bench-") as folder,
        Stack(Path(folder) / "data", site.origin, workers=2) as stack,
    ):
        stack.get(WARM).raise_for_status()
        rounds = [one for number in range(options.rounds + 1) for one in turn(stack, number, options.count)]
        cold = cold_burst(stack, options.count)
    summary = summarise([one for one in rounds if one["round"]], cold)  # the first round warms up
    raw = {"machine": facts.machine(), "versions": facts.versions(), "settings": vars(options), "limit": LIMIT}
    path = facts.write("icons", options.label, {**raw, "summary": summary, "cold": cold, "measurements": rounds})
    print(report(summary))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    about = __doc__.splitlines()[0] if __doc__ else ""
    parser = argparse.ArgumentParser("python -m bench.icons", description=about)
    parser.add_argument("--count", type=int, default=1000, help="requests at once (default 1000)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is asked for (default 5)")
    parser.add_argument("--label", default="", help="names the result file, in place of the number of cores")
    parser.add_argument("--quick", action="store_true", help="one round: a look, not a result")
    quick, _ = parser.parse_known_args()
    if quick.quick:
        parser.set_defaults(rounds=1)
    return parser.parse_args()


def turn(stack: Stack, number: int, count: int) -> list[dict[str, Any]]:
    """The static file, then the icon, right after one another."""
    found = []
    for what, path, expected in (("static file", STATIC, (200, "")), ("icon", WARM, (302, "HIT"))):
        before = facts.load()
        answers = asyncio.run(burst(stack.port, path, count))
        wrong = [answer for answer in answers if (answer.status, answer.cache) != expected]
        assert not wrong, f"{what}: {len(wrong)} wrong answers, first {wrong[0]}"
        latencies = [round(answer.latency_s, 4) for answer in answers]
        found.append({"round": number, "what": what, "load_average": before, "latencies_s": latencies})
    return found


def cold_burst(stack: Stack, count: int) -> dict[str, Any]:
    """All ask for an icon that nobody has asked for."""
    answers = asyncio.run(burst(stack.port, "/icon/96x96/tiles.png", count))
    renders = stack.rows("select count(*) as n from captures_grab where piece = 'tiles'")[0]["n"]
    statuses = {f"{status} {cache}" for status, cache, _ in answers}
    counted = {kind: sum(f"{a.status} {a.cache}" == kind for a in answers) for kind in sorted(statuses)}
    return {"answers": counted, "renders": renders, "latencies_s": [round(a.latency_s, 4) for a in answers]}


async def burst(port: int, path: str, count: int) -> list[Answer]:
    """Opens all connections, then sends all requests at once. A client of its own: a library's would cost more
    time than the server takes."""
    streams = []
    for start in range(0, count, 100):  # the server's backlog is no subject here
        opening = (asyncio.open_connection("127.0.0.1", port) for _ in range(min(100, count - start)))
        streams += await asyncio.gather(*opening)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    started = time.monotonic()
    for _, writer in streams:
        writer.write(request)
    answers = await asyncio.gather(*(_answer(reader, started) for reader, _ in streams))
    for _, writer in streams:
        writer.close()
    return answers


async def _answer(reader: asyncio.StreamReader, started: float) -> Answer:
    data = await reader.read(-1)
    latency = time.monotonic() - started
    head = data.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:])
    return Answer(int(head[0].split()[1]), headers.get("x-cache", "").upper(), latency)


def summarise(rounds: list[dict[str, Any]], cold: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for what in ("static file", "icon"):
        latencies = [one for round_ in rounds if round_["what"] == what for one in round_["latencies_s"]]
        found[what] = {f"p{percent}": facts.percentile(latencies, percent) for percent in (50, 95)}
    found["ratio of p95"] = round(found["icon"]["p95"] / found["static file"]["p95"], 2)
    found["cold"] = {"renders": cold["renders"], "p95": facts.percentile(cold["latencies_s"], 95), **cold["answers"]}
    return found


def report(summary: dict[str, Any]) -> str:
    rows = [[what, f"{summary[what]['p50']:.2f}", f"{summary[what]['p95']:.2f}"] for what in ("static file", "icon")]
    warm = facts.table(["at once", "p50, s", "p95, s"], rows)
    cold = ", ".join(f"{value} {key}" for key, value in summary["cold"].items() if key != "p95")
    return f"{warm}\n\np95 ratio {summary['ratio of p95']} (at most {LIMIT:g}); cold: {cold}"


if __name__ == "__main__":
    main()
