"""Bundles: how long it takes to find, rewrite and minify 190 and more modules, against terser doing the same.

python -m bench.bundles           the full run
python -m bench.bundles --quick   one pair of rounds
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from bench import facts
from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.files import Files
from bundles.engine.graph import Graph, Walk
from bundles.engine.modules import Workshop
from bundles.engine.node import NodeOptions, NodeWorker, find_node
from bundles.engine.packing import to_json, unpack
from bundles.engine.shelf import Shelf
from bundles.engine.spec import BundleSpec, SourceTree
from tests.bundles.packages import copy_into, installed

ENTRY = "npm/three/src/Three.js"
LARGE = "npm/p5-2/lib/p5.esm.js"  # one module of 4.3 MB
PIECE = (
    "import { Vector3 } from '../npm/three/src/math/Vector3.js';\nexport const far = new Vector3(1, 2, 3).length();\n"
)
WARM_REQUESTS = 30
MANY = 500


def main() -> None:
    options = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what we have started, like Ctrl-C
    if options.cold:
        print(json.dumps(cold_here(Path(options.cold), options.node, options.entry)))
        return
    node = options.node or find_node()
    start = {
        "machine": facts.machine(),
        "versions": facts.versions() | {"node": version(node)},
        "settings": vars(options),
    }
    with tempfile.TemporaryDirectory() as folder:
        root = make_tree(Path(folder))
        cold = [cold_pair(root, node, number) for number in range(1, options.pairs + 1)]
        warm = warm_pairs(root, node, options.pairs)
        large = [cold_pair(root, node, number, LARGE) for number in range(1, min(options.pairs, 3) + 1)]
        two = two_processes(root, node)
        sizes = compare_sizes(root, node)
        requests = warm_requests(root, node, MANY if options.pairs > 1 else 50)
    results = {
        "cold": cold,
        "warm": warm,
        "large": large,
        "terser_in_two_processes_ms": two,
        "sizes": sizes,
        "requests": requests,
    }
    path = facts.write("bundles", options.label, {**start, **results})
    print(report(results))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m bench.bundles", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    add = parser.add_argument
    add("--pairs", type=int, default=5, help="interleaved rounds of each (default 5)")
    add("--node", default="", help="the Node.js that both run on (default: the one that Oven finds)")
    add("--label", default="", help="names the result file, in place of the number of cores")
    add("--quick", action="store_true", help="one pair of rounds")
    add("--cold", default="", help=argparse.SUPPRESS)
    add("--entry", default=ENTRY, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.pairs = 1
    return options


def make_tree(folder: Path) -> Path:
    root = folder / "tree"
    copy_into(root, "three/src", "p5-2/lib")
    (root / "pieces").mkdir()
    (root / "pieces" / "dot.mjs").write_text(PIECE)
    return root


def version(node: str) -> str:
    return subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def peak_mb(pid: int | None) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) >> 10 if found else 0


# The two ways -------------------------------------------------------------------------------------------------------


def tree_at(root: Path, entry: str = ENTRY) -> SourceTree:
    return SourceTree(root, seeds=(), boot=entry)


def walk(root: Path, worker: NodeWorker, cache: Path, entry: str = ENTRY) -> Graph:
    """What Oven does, from nothing: every module is found, rewritten, checked, minified, and put into the cache."""
    files = Files(tree_at(root, entry))
    return Walk(files, Workshop(worker, Shelf(cache / "modules.sqlite", 10_000), files, True))([entry])


class Terser:
    """A process that does the same with terser, each round when asked."""

    def __init__(self, node: str) -> None:
        command = [node, str(Path(__file__).with_name("terser_peer.mjs")), str(installed())]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, root: Path, entry: str = ENTRY, **fields: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"root": str(root), "seeds": [entry], **fields}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    @property
    def peak_mb(self) -> int:
        return peak_mb(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def cold_here(root: Path, node: str, entry: str) -> dict[str, float]:
    """The first round of a fresh process; `start_ms` is what it took to start Node before."""
    with tempfile.TemporaryDirectory() as cache:
        worker = NodeWorker(NodeOptions(executable=node))
        start_ms = timed(lambda: list(worker.ask("ping")))
        started = time.perf_counter()
        graph = walk(root, worker, Path(cache), entry)
        ms = (time.perf_counter() - started) * 1000
        found = {
            "ms": ms,
            "start_ms": start_ms,
            "files": len(graph.modules),
            "node_mb": peak_mb(worker.pid),
            "python_mb": peak_mb_here(),
        }
        worker.close()
    return found


def peak_mb_here() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) >> 10 if found else 0


def cold_pair(root: Path, node: str, number: int, entry: str = ENTRY) -> dict[str, Any]:
    """The first round of fresh processes, and how long these took to start."""
    load = facts.load()
    command = [sys.executable, "-m", "bench.bundles", "--cold", str(root), "--node", node, "--entry", entry]
    ours = json.loads(subprocess.run(command, cwd=facts.ROOT, capture_output=True, text=True, check=True).stdout)
    started = time.perf_counter()
    with Terser(node) as peer:
        peer.ask(root, entry)
        theirs = peer.answer()
        start_ms = (time.perf_counter() - started) * 1000 - theirs["ms"]
        peak = {"start_ms": start_ms, "node_mb": peer.peak_mb}
    pair = {"pair": number, "load_average": load, "oven": ours, "terser": theirs | peak}
    pair["ratio"] = theirs["ms"] / ours["ms"]
    facts.say(f"cold {number}: oven {ours['ms']:.0f} ms, terser {theirs['ms']:.0f} ms, {pair['ratio']:.1f} times")
    return pair


def warm_pairs(root: Path, node: str, count: int) -> list[dict[str, Any]]:
    """Processes that have done it twice, with empty caches."""
    worker = NodeWorker(NodeOptions(executable=node))
    pairs = []
    with Terser(node) as peer:
        for number in range(-1, count + 1):
            ours = timed(lambda: in_empty_cache(root, worker))
            peer.ask(root)
            theirs = peer.answer()["ms"]
            if number > 0:
                pairs.append({"pair": number, "oven_ms": ours, "terser_ms": theirs, "ratio": theirs / ours})
                facts.say(f"warm {number}: oven {ours:.0f} ms, terser {theirs:.0f} ms, {theirs / ours:.1f} times")
    worker.close()
    return pairs


def in_empty_cache(root: Path, worker: NodeWorker) -> Graph:
    with tempfile.TemporaryDirectory() as cache:
        return walk(root, worker, Path(cache))


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def two_processes(root: Path, node: str) -> float:
    """terser with half of the files in each of two processes, cold."""
    started = time.perf_counter()
    with Terser(node) as first, Terser(node) as second:
        for part, peer in enumerate((first, second)):
            peer.ask(root, part=part, parts=2)
        for peer in (first, second):
            peer.answer()
    return (time.perf_counter() - started) * 1000


def compare_sizes(root: Path, node: str) -> dict[str, Any]:
    worker = NodeWorker(NodeOptions(executable=node))
    graph = in_empty_cache(root, worker)
    worker.close()
    with tempfile.TemporaryDirectory() as folder, Terser(node) as peer:
        out = Path(folder) / "out.json"
        peer.ask(root, out=str(out))
        theirs = json.loads((peer.answer(), out.read_text())[1])
    ours = {path: module.code for path, module in graph.modules.items()}
    assert set(ours) == set(theirs)
    raw = sum(module.raw for module in graph.modules.values())
    return {"files": len(ours), "raw": raw, "oven": sizes(ours), "terser": sizes(theirs)}


def sizes(codes: dict[str, str]) -> dict[str, int]:
    text = "\n".join(code for _, code in sorted(codes.items())).encode()
    return {"minified": len(text), "gzip": len(gzip.compress(text, 9, mtime=0))}


# Requests -----------------------------------------------------------------------------------------------------------


def warm_requests(root: Path, node: str, many: int) -> dict[str, Any]:
    """A request when the core is there, against compressing the whole page for it, taking turns."""
    with tempfile.TemporaryDirectory() as cache, Engine(EngineOptions(Path(cache), NodeOptions(node))) as engine:
        first = timed(lambda: engine.core(tree_at(root)))
        core = engine.core(tree_at(root))
        whole = (to_json(unpack(core.blob)) + PIECE).encode()
        ours, theirs = [], []
        for _ in range(WARM_REQUESTS):
            ours.append(timed(lambda: request(engine, root)))
            theirs.append(timed(lambda: zlib.compress(whole, 9)))
        before = resident_mb()
        for _ in range(many):
            request(engine, root)
        after = resident_mb()
    ratio = statistics.median(theirs) / statistics.median(ours)
    medians = [statistics.median(times) for times in (ours, theirs)]
    facts.say(f"request: {medians[0]:.2f} ms, compressing: {medians[1]:.1f} ms, {ratio:.1f} times")
    return {
        "core_ms": first,
        "core_gzip": core.gzip_bytes,
        "payload": len(whole),
        "request_ms": ours,
        "compress_ms": theirs,
        "ratio": ratio,
        "resident_mb": {"before": before, "after": after, "requests": many},
    }


def request(engine: Engine, root: Path) -> bytes:
    return engine.bundle(BundleSpec(datetime.now(UTC), piece="dot"), tree_at(root)).html


def resident_mb() -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


# The table ----------------------------------------------------------------------------------------------------------


def report(results: dict[str, Any]) -> str:
    cold, warm, sizes, requests = (results[part] for part in ("cold", "warm", "sizes", "requests"))
    rows = [
        row(
            "cold, ms", [p["oven"]["ms"] for p in cold], [p["terser"]["ms"] for p in cold], [p["ratio"] for p in cold]
        ),
        row("cold with start, ms", *(with_start(cold, who) for who in ("oven", "terser")), ratios_with_start(cold)),
        row("warm, ms", [p["oven_ms"] for p in warm], [p["terser_ms"] for p in warm], [p["ratio"] for p in warm]),
    ]
    large = results["large"]
    rows.append(
        row("one of 4.3 MB, ms", *(column(large, who, "ms") for who in ("oven", "terser")), column(large, "ratio"))
    )
    rows.append(row("its peak, MB", *(column(large, who, "node_mb") for who in ("oven", "terser")), []))
    theirs = [p["terser"]["node_mb"] for p in cold]
    for what, parts in {"Node's peak, MB": ["node_mb"], "with Python, MB": ["node_mb", "python_mb"]}.items():
        ours = [sum(p["oven"][part] for part in parts) for p in cold]
        rows.append(row(what, ours, theirs, [b / a for a, b in zip(ours, theirs, strict=True)]))
    for name in ("minified", "gzip"):
        ours, theirs = sizes["oven"][name], sizes["terser"][name]
        rows.append([f"{name}, bytes", str(ours), str(theirs), f"{ours / theirs * 100:.1f} %", ""])
    ours, theirs = requests["request_ms"], requests["compress_ms"]
    rows.append(row("request, ms", ours, theirs, [requests["ratio"]]))
    head = ["", "Oven", "peer", "median ratio", "every pair"]
    return f"{sizes['files']} modules, {sizes['raw']} bytes\n\n{facts.table(head, rows)}"


def column(pairs: list[dict[str, Any]], *keys: str) -> list[float]:
    """A figure of every pair."""
    found: list[Any] = pairs
    for key in keys:
        found = [pair[key] for pair in found]
    return found


def with_start(pairs: list[dict[str, Any]], who: str) -> list[float]:
    return [pair[who]["ms"] + pair[who]["start_ms"] for pair in pairs]


def ratios_with_start(pairs: list[dict[str, Any]]) -> list[float]:
    return [b / a for a, b in zip(with_start(pairs, "oven"), with_start(pairs, "terser"), strict=True)]


def row(name: str, ours: list[float], theirs: list[float], ratios: list[float]) -> list[str]:
    pairs = " ".join(f"{ratio:.1f}" for ratio in ratios) if len(ratios) > 1 else ""
    medians = [f"{statistics.median(values):.4g}" for values in (ours, theirs)]
    ratio = statistics.median(ratios) if ratios else statistics.median(theirs) / statistics.median(ours)
    return [name, *medians, f"{ratio:.1f}", pairs]


if __name__ == "__main__":
    main()
