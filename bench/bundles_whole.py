"""The whole job, piece and runtime to one HTML file, against vite-plugin-singlefile; and warm requests."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import bundles_site, facts
from bench.bundles_site import KNOT
from bench.peers import Peer, column, row, size_row, sizes, timed
from bundles.engine.engine import Engine, EngineOptions
from bundles.engine.node import NodeOptions
from bundles.engine.packing import to_json, unpack
from bundles.engine.spec import SourceTree

SMALL = ("orbit", "prism", "tiles", "$bloom")
ORDERS = ((*SMALL, KNOT), (KNOT,))  # what a pair of fresh processes is asked for, one after the other
SCRIPT = "vite_peer.mjs"
WARM_REQUESTS = 30


def measure(folder: Path, node: str, pairs: int, many: int) -> dict[str, Any]:
    tree = bundles_site.make_tree(folder / "site")
    bundles_site.use(tree.root)
    wholes = [
        one
        for number in range(1, pairs + 1)
        for names in ORDERS
        for one in session(tree, node, names, number, folder)
    ]
    return {"whole": wholes, "sizes": page_sizes(tree, node, folder), "requests": requests(tree, node, many)}


# The whole job ------------------------------------------------------------------------------------------------------


def session(tree: SourceTree, node: str, names: tuple[str, ...], number: int, folder: Path) -> list[dict[str, Any]]:
    """Fresh processes and empty caches; of what they are asked for, the first is cold."""
    found = []
    load = facts.load()
    with (
        tempfile.TemporaryDirectory() as cache,
        Engine(EngineOptions(Path(cache), NodeOptions(node))) as engine,
        Peer(node, SCRIPT) as vite,
    ):
        start = {"oven": timed(lambda: list(engine.node.ask("ping"))), "vite": timed(lambda: by_vite(vite))}
        for name in names:
            ask = bundles_site.page_for_vite(tree.root, name) | {"out": str(folder / "vite" / "x.html")}
            ours = timed(lambda: engine.bundle(bundles_site.spec(name), tree))  # noqa: B023
            theirs = by_vite(vite, **ask)["ms"]
            found.append({"pair": number, "piece": name, "cold": name == names[0], "load_average": load})
            found[-1] |= {"oven_ms": ours, "vite_ms": theirs, "start_ms": start}
            kind = "cold" if name == names[0] else "warm"
            facts.say(
                f"whole {number}, {name}, {kind}: oven {ours:.0f} ms, vite {theirs:.0f} ms, {theirs / ours:.1f}"
            )
    return found


def by_vite(vite: Peer, **ask: Any) -> dict[str, Any]:
    vite.ask(**ask)
    return vite.answer()


def make_pages(tree: SourceTree, node: str, folder: Path) -> dict[str, dict[str, Path]]:
    """Every piece as one file, each way."""
    made: dict[str, dict[str, Path]] = {}
    with (
        tempfile.TemporaryDirectory() as cache,
        Engine(EngineOptions(Path(cache), NodeOptions(node))) as engine,
        Peer(node, SCRIPT) as vite,
    ):
        for name in ORDERS[0]:
            files = {way: folder / "pages" / way / f"{name.lstrip('$')}.html" for way in ("oven", "plain", "vite")}
            made[name] = files
            for file in files.values():
                file.parent.mkdir(parents=True, exist_ok=True)
            spec = bundles_site.spec(name)
            files["oven"].write_bytes(engine.bundle(spec, tree).html)
            files["plain"].write_bytes(engine.bundle(replace(spec, compress=False), tree).html)
            by_vite(vite, **bundles_site.page_for_vite(tree.root, name), out=str(files["vite"]))
    return made


def page_sizes(tree: SourceTree, node: str, folder: Path) -> dict[str, Any]:
    pages = make_pages(tree, node, folder)
    return {
        name: {way: sizes(file.read_bytes(), node) for way, file in files.items()} for name, files in pages.items()
    }


# Requests -----------------------------------------------------------------------------------------------------------


def requests(tree: SourceTree, node: str, many: int) -> dict[str, Any]:
    """A request when the core (three.js) is there, against compressing the whole page for it, taking turns."""
    tree = replace(tree, seeds=(*tree.seeds, "npm/three/src/Three.js"))
    with tempfile.TemporaryDirectory() as cache, Engine(EngineOptions(Path(cache), NodeOptions(node))) as engine:
        core = engine.core(tree)
        whole = (to_json(unpack(core.blob)) + (tree.root / tree.piece_path(KNOT)).read_text()).encode()
        ours, theirs = [], []
        for _ in range(WARM_REQUESTS):
            ours.append(timed(lambda: engine.bundle(bundles_site.spec(KNOT), tree)))
            theirs.append(timed(lambda: zlib.compress(whole, 9)))
        before, started = resident_mb(), time.perf_counter()
        for _ in range(many):
            engine.bundle(bundles_site.spec(KNOT), tree)
        each = (time.perf_counter() - started) * 1000 / many
    resident = {"before": before, "after": resident_mb(), "requests": many, "each_ms": each}
    facts.say(f"request: {statistics.median(ours):.2f} ms, compressing: {statistics.median(theirs):.1f} ms")
    return {"payload": len(whole), "request_ms": ours, "compress_ms": theirs, "resident_mb": resident}


def resident_mb() -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


# The tables ---------------------------------------------------------------------------------------------------------


def report(results: dict[str, Any]) -> str:
    head = ["", "Oven", "peer", "median ratio", "every pair"]
    asked = results["requests"]
    rows = [*time_rows(results["whole"]), [*row("request, ms", asked["request_ms"], asked["compress_ms"])[:4], ""]]
    resident = asked["resident_mb"]
    told = "{before:.1f} MB before, {after:.1f} after {requests} requests".format(**resident)
    return f"{facts.table(head, rows)}\n\nresident: {told}\n\n{size_table(results['sizes'])}"


def time_rows(wholes: list[dict[str, Any]]) -> list[list[str]]:
    cold = [one for one in wholes if one["cold"]]
    warm = [one for one in wholes if not one["cold"]]
    rows = []
    for name in ("orbit", KNOT):
        pairs = [one for one in cold if one["piece"] == name]
        rows.append(row(f"{name}, cold, ms", column(pairs, "oven_ms"), column(pairs, "vite_ms")))
        started = [[one[f"{who}_ms"] + one["start_ms"][who] for one in pairs] for who in ("oven", "vite")]
        rows.append(row(f"{name}, cold with start, ms", *started))
    for name in (*SMALL[1:], KNOT):
        pairs = [one for one in warm if one["piece"] == name]
        rows.append(row(f"{name}, next in turn, ms", column(pairs, "oven_ms"), column(pairs, "vite_ms")))
    return rows


def size_table(found: dict[str, Any]) -> str:
    rows = [
        size_row(f"{name}, {label}{kind}", ways[way][kind], ways["vite"][kind])
        for name, ways in found.items()
        for way, label in (("oven", ""), ("plain", "not packed, "))
        for kind in ("raw", "gzip", "brotli")
    ]
    return facts.table(["bytes", "Oven", "vite-plugin-singlefile", "ratio"], rows)
