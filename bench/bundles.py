"""Bundles: minifying 190 and more modules, whole pages, and how soon these show something, each against a peer.

python -m bench.bundles                        the full run
python -m bench.bundles --quick                one pair of rounds
python -m bench.bundles --parts whole,start    some of core, whole and start
"""

from __future__ import annotations

import argparse
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import bundles_core, bundles_start, bundles_whole, facts
from bench.peers import package_version, version
from bundles.engine.node import find_node

PARTS = "core,whole,start"
PACKAGES = ("terser", "vite", "vite-plugin-singlefile", "three")


def main() -> None:
    options = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what we have started, like Ctrl-C
    node = options.node or find_node()
    versions = {"node": version(node), **{name: package_version(name) for name in PACKAGES}}
    start = {"machine": facts.machine(), "versions": facts.versions() | versions, "settings": vars(options)}
    results, reports = {}, []
    for part in options.parts.split(","):
        measure, report = part_named(part, options)
        with tempfile.TemporaryDirectory(prefix="bench-bundles-") as folder:
            results[part] = measure(Path(folder), node)
        reports.append(report(results[part]))
    path = facts.write("bundles", options.label, {**start, **results})
    print("\n\n".join(reports))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def part_named(
    name: str, options: argparse.Namespace
) -> tuple[Callable[[Path, str], dict[str, Any]], Callable[[dict[str, Any]], str]]:
    pairs, many = options.pairs, 50 if options.quick else 500
    return {
        "core": (lambda folder, node: bundles_core.measure(folder, node, pairs), bundles_core.report),
        "whole": (lambda folder, node: bundles_whole.measure(folder, node, pairs, many), bundles_whole.report),
        "start": (lambda folder, node: bundles_start.measure(folder, node, pairs), bundles_start.report),
    }[name]


def parse() -> argparse.Namespace:
    about = __doc__.splitlines()[0] if __doc__ else ""
    parser = argparse.ArgumentParser("python -m bench.bundles", description=about)
    add = parser.add_argument
    add("--parts", default=PARTS, help=f"what to measure (default {PARTS})")
    add("--pairs", type=int, default=5, help="interleaved rounds of each (default 5)")
    add("--node", default="", help="the Node.js that all run on (default: the one that Oven finds)")
    add("--label", default="", help="names the result file, in place of the number of cores")
    add("--quick", action="store_true", help="one pair of rounds")
    options = parser.parse_args()
    if options.quick:
        options.pairs = 1
    return options


if __name__ == "__main__":
    main()
