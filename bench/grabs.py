"""Grabs a minute: the whole service against the page.screenshot way and shot-scraper.

python -m bench.grabs            the full run, for a quiet machine
python -m bench.grabs --quick    a look, in under two minutes
"""

from __future__ import annotations

import argparse
import math
import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bench import facts
from bench.load import Load, Measured, measure, warm_up
from bench.site import Site
from bench.summary import report, summarise
from bench.systems import Oven, Screenshots, ShotScraper, System
from bench.tree import Tree

PIECES = "tc-canvas,orbit,prism,tiles"


class Entry(NamedTuple):
    """A system, how to make it, and what it is asked for."""

    make: Callable[[Site], System]
    loads: list[Load]


def main() -> None:
    options = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what we have started, like Ctrl-C
    tree = Tree()
    start = {"machine": facts.machine(), "versions": facts.versions(), "settings": vars(options)}
    measured: list[Measured] = []
    with Site() as site:
        tree.ignored.add(site.pid)
        try:
            for round_, piece, entry in order(options):
                measured += turn(tree, site, entry, piece, round_, frames_of(options))
        except KeyboardInterrupt:
            facts.say("stopped: what has been measured so far is kept")
    summary = summarise(measured)
    raw = {**start, "unreadable_memory": tree.unreadable, "summary": summary}
    raw["measurements"] = [one.as_json() for one in measured]
    path = facts.write("grabs", options.label, raw)
    print(report(summary))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.grabs", description=__doc__.splitlines()[0] if __doc__ else "")
    add = parser.add_argument
    add("--pieces", type=names, default=PIECES, help=f"of the demo pieces and test fixtures (default {PIECES})")
    add("--workers", type=numbers, default="1,2,4", help="capture workers of the Ovens measured (default 1,2,4)")
    add("--rounds", type=int, default=3, help="how often every system gets its turn (default 3)")
    add("--count", type=int, default=24, help="grabs in a turn of Oven's, under load (default 24)")
    add("--alone-count", type=int, default=8, help="grabs in a turn with one client (default 8)")
    add("--peer-count", type=int, default=4, help="grabs in a turn of a peer's (default 4)")
    add("--duration", type=int, default=533, help="milliseconds of animation (default 533)")
    add("--fps", type=float, default=30.0, help="frames a second of animation (default 30)")
    add("--interval-sleep", action="store_true", help="page.screenshot sleeps duration / frames, not 33 ms")
    add("--settle", type=float, default=0.0, help="ms page.screenshot waits after ready, which Oven does (default 0)")
    add("--no-stills", action="store_true", help="animations only")
    add("--no-animations", action="store_true", help="stills only")
    add("--label", default="", help="names the result file, in place of the number of cores")
    add("--quick", action="store_true", help="one round, one piece, two workers, few grabs: a look, not a result")
    quick, _ = parser.parse_known_args()
    if quick.quick:
        parser.set_defaults(rounds=1, pieces="tc-canvas", workers="2", count=8, alone_count=3, peer_count=2)
    return parser.parse_args()


def names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def numbers(text: str) -> list[int]:
    return [int(name) for name in names(text)]


def frames_of(options: argparse.Namespace) -> int:
    seconds: float = options.duration / 1000
    return max(1, math.ceil(round(seconds * float(options.fps), 6)))


def order(options: argparse.Namespace) -> Iterator[tuple[int, str, Entry]]:
    """Round by round, piece by piece, all systems after one another: noise hits all alike."""
    for round_ in range(1, options.rounds + 1):
        for piece in options.pieces:
            for entry in entries(options):
                yield round_, piece, entry


def entries(options: argparse.Namespace) -> list[Entry]:
    found = []
    if not options.no_animations:
        found.append(screenshots(options))
    if not options.no_stills:
        peer = [Load(f"shot-scraper, {n} at once", "png", n, options.peer_count * n) for n in (1, 2)]
        found.append(Entry(ShotScraper, peer))
    return found + [oven(options, workers, index == 0) for index, workers in enumerate(options.workers)]


def screenshots(options: argparse.Namespace) -> Entry:
    frames = frames_of(options)
    sleep_ms = options.duration / frames if options.interval_sleep else 33.0
    load = Load("page.screenshot", "webp", 1, options.peer_count)
    return Entry(lambda site: Screenshots(site, frames, sleep_ms, options.settle), [load])


def oven(options: argparse.Namespace, workers: int, alone: bool) -> Entry:
    loads = []
    for kind in kinds(options):
        if alone:
            loads.append(Load("Oven, one client", kind, 1, options.alone_count))
        plural = "s" if workers > 1 else ""
        loads.append(Load(f"Oven, {workers} worker{plural}", kind, workers + 1, options.count))
    return Entry(lambda site: Oven(site, workers, options.duration, options.fps), loads)


def kinds(options: argparse.Namespace) -> list[str]:
    return [kind for kind, off in (("webp", options.no_animations), ("png", options.no_stills)) if not off]


def turn(tree: Tree, site: Site, entry: Entry, piece: str, round_: int, frames: int) -> list[Measured]:
    """Starts a system, which then has the machine for itself, and ends it."""
    found: list[Measured] = []
    try:
        with entry.make(site) as system:
            warm_up(system, piece, entry.loads[0].kind)
            for load in entry.loads:
                found.append(measure(tree, system, piece, load, round_, frames))
                facts.say(line(found[-1]))
    except Exception as problem:
        facts.say(f"{round_} {piece} {entry.loads[0].name}: {type(problem).__name__}: {problem}")
    if killed := tree.wait_empty():
        facts.say(f"{round_} {piece} {entry.loads[0].name}: {killed} processes did not end and were killed")
    return found


def line(one: Measured) -> str:
    good, usage = one.good, one.usage
    rate = f"{60 * len(good) / usage.wall_s:.1f} a minute, {usage.cpu_s / max(1, len(good)):.2f} CPU-s each"
    text = f"{one.round} {one.piece} {one.load.kind} {one.load.name}: {rate}, {usage.pss_peak_mb:.0f} MB"
    failed = [single.error for single in one.singles if single.error]
    return text + (f", {len(failed)} FAILED: {failed[0]}" if failed else "")


if __name__ == "__main__":
    main()
