"""Finding, rewriting and minifying 190 and more modules, against terser doing the same in one process and in two.

`python -m bench.bundles_core ROOT NODE ENTRY` is one cold round of Oven's, in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import facts
from bench.peers import Peer, column, peak_mb, row, size_row, sizes, timed
from bundles.engine.files import Files
from bundles.engine.graph import Graph, Walk
from bundles.engine.modules import Workshop
from bundles.engine.node import NodeOptions, NodeWorker
from bundles.engine.shelf import Shelf
from bundles.engine.spec import SourceTree
from tests.bundles.packages import copy_into

ENTRY = "npm/three/src/Three.js"
LARGE = "npm/p5-2/lib/p5.esm.js"  # one module of 4.3 MB
SCRIPT = "terser_peer.mjs"


def measure(folder: Path, node: str, pairs: int) -> dict[str, Any]:
    root = folder / "core"
    copy_into(root, "three/src", "p5-2/lib")
    return {
        "cold": [cold_pair(root, node, number) for number in range(1, pairs + 1)],
        "warm": warm_pairs(root, node, pairs),
        "large": [cold_pair(root, node, number, LARGE) for number in range(1, min(pairs, 3) + 1)],
        "sizes": compare_sizes(root, node),
    }


# Oven ---------------------------------------------------------------------------------------------------------------


def walk(root: Path, worker: NodeWorker, cache: Path, entry: str = ENTRY) -> Graph:
    """What Oven does, from nothing: every module is found, rewritten, checked, minified, and put into the cache."""
    files = Files(SourceTree(root, seeds=(), boot=entry))
    return Walk(files, Workshop(worker, Shelf(cache / "modules.sqlite", 10_000), files, True))([entry])


def in_empty_cache(root: Path, worker: NodeWorker) -> Graph:
    with tempfile.TemporaryDirectory() as cache:
        return walk(root, worker, Path(cache))


def cold_here(root: Path, node: str, entry: str) -> dict[str, float]:
    """The first round of a fresh process; `start_ms` is what it took to start Node before."""
    with tempfile.TemporaryDirectory() as cache:
        worker = NodeWorker(NodeOptions(executable=node))
        start_ms = timed(lambda: list(worker.ask("ping")))
        started = time.perf_counter()
        graph = walk(root, worker, Path(cache), entry)
        ms = (time.perf_counter() - started) * 1000
        memory = {"node_mb": peak_mb(worker.pid), "python_mb": peak_mb("self")}
        worker.close()
    return {"ms": ms, "start_ms": start_ms, "files": len(graph.modules), **memory}


# Pairs --------------------------------------------------------------------------------------------------------------


def cold_pair(root: Path, node: str, number: int, entry: str = ENTRY) -> dict[str, Any]:
    """The first round of fresh processes, and how long these took to start. One module cannot be split in two."""
    load = facts.load()
    command = [sys.executable, "-m", "bench.bundles_core", str(root), node, entry]
    ours = json.loads(subprocess.run(command, cwd=facts.ROOT, capture_output=True, text=True, check=True).stdout)
    ways = {"oven": ours, "terser": terser(root, node, entry, 1)}
    if entry != LARGE:
        ways["terser in two"] = terser(root, node, entry, 2)
    told = ", ".join(f"{name} {way['ms']:.0f} ms ({way['ms'] / ours['ms']:.1f})" for name, way in ways.items())
    facts.say(f"cold {number}: {told}")
    return {"pair": number, "load_average": load, **ways}


def terser(root: Path, node: str, entry: str, parts: int) -> dict[str, Any]:
    """Each process minifies its part of the files; the slowest counts."""
    started = time.perf_counter()
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(node, SCRIPT)) for _ in range(parts)]
        for part, peer in enumerate(peers):
            peer.ask(root=str(root), seeds=[entry], part=part, parts=parts)
        answers = [peer.answer() for peer in peers]
        wall = (time.perf_counter() - started) * 1000
        memory = sum(peer.peak_mb for peer in peers)
    ms = max(answer["ms"] for answer in answers)
    return {**answers[0], "ms": ms, "start_ms": wall - ms, "node_mb": memory, "parts_ms": column(answers, "ms")}


def warm_pairs(root: Path, node: str, count: int) -> list[dict[str, Any]]:
    """Processes that have done it twice, with empty caches."""
    worker = NodeWorker(NodeOptions(executable=node))
    pairs = []
    with Peer(node, SCRIPT) as peer:
        for number in range(-1, count + 1):
            ours = timed(lambda: in_empty_cache(root, worker))
            peer.ask(root=str(root), seeds=[ENTRY])
            theirs = peer.answer()["ms"]
            if number > 0:
                pairs.append({"pair": number, "oven_ms": ours, "terser_ms": theirs})
                facts.say(f"warm {number}: oven {ours:.0f} ms, terser {theirs:.0f} ms, {theirs / ours:.1f} times")
    worker.close()
    return pairs


def compare_sizes(root: Path, node: str) -> dict[str, Any]:
    worker = NodeWorker(NodeOptions(executable=node))
    graph = in_empty_cache(root, worker)
    worker.close()
    with tempfile.TemporaryDirectory() as folder, Peer(node, SCRIPT) as peer:
        out = Path(folder) / "out.json"
        peer.ask(root=str(root), seeds=[ENTRY], out=str(out))
        peer.answer()
        theirs = json.loads(out.read_text())
    ours = {path: module.code for path, module in graph.modules.items()}
    assert set(ours) == set(theirs)
    raw = sum(module.raw for module in graph.modules.values())
    return {"files": len(ours), "raw": raw, "oven": joined(ours, node), "terser": joined(theirs, node)}


def joined(codes: dict[str, str], node: str) -> dict[str, int]:
    return sizes("\n".join(code for _, code in sorted(codes.items())).encode(), node)


# The table ----------------------------------------------------------------------------------------------------------


def report(results: dict[str, Any]) -> str:
    cold, warm, large, found = (results[part] for part in ("cold", "warm", "large", "sizes"))
    rows = [
        *time_rows(cold, "terser", "cold"),
        *time_rows(cold, "terser in two", "cold, two processes of terser"),
        row("warm, ms", column(warm, "oven_ms"), column(warm, "terser_ms")),
        row("one of 4.3 MB, cold, ms", *(column(large, who, "ms") for who in ("oven", "terser"))),
        row("its peak in Node, MB", *(column(large, who, "node_mb") for who in ("oven", "terser"))),
        *memory_rows(cold),
        *(size_row(f"minified, {kind}, bytes", found["oven"][kind], found["terser"][kind]) for kind in found["oven"]),
    ]
    head = ["", "Oven", "terser", "median ratio", "every pair"]
    return f"{found['files']} modules, {found['raw']} bytes\n\n{facts.table(head, [pad(cells) for cells in rows])}"


def pad(cells: list[str]) -> list[str]:
    return [*cells, ""][:5]


def time_rows(cold: list[dict[str, Any]], peer: str, name: str) -> list[list[str]]:
    return [
        row(f"{name}, ms", column(cold, "oven", "ms"), column(cold, peer, "ms")),
        row(f"{name}, with their start, ms", with_start(cold, "oven"), with_start(cold, peer)),
    ]


def with_start(pairs: list[dict[str, Any]], who: str) -> list[float]:
    return [pair[who]["ms"] + pair[who]["start_ms"] for pair in pairs]


def memory_rows(cold: list[dict[str, Any]]) -> list[list[str]]:
    node, theirs = column(cold, "oven", "node_mb"), column(cold, "terser", "node_mb")
    both = [sum(pair) for pair in zip(node, column(cold, "oven", "python_mb"), strict=True)]
    two = column(cold, "terser in two", "node_mb")
    return [
        row("peak of Node, MB", node, theirs),
        row("with Oven's Python, MB", both, theirs),
        row("with Python, two of terser, MB", both, two),
    ]


if __name__ == "__main__":
    print(json.dumps(cold_here(Path(sys.argv[1]), *sys.argv[2:4])))
