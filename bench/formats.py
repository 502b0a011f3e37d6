"""Four formats from one load of a page, against each of them alone.

python -m bench.formats            the full run, about two minutes
python -m bench.formats --quick    a look
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import facts
from bench.site import Site
from bench.tree import Tree
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureResult, CaptureSpec, Format, Output

PIECES = "tc-canvas,orbit,prism,tiles"
LIMIT = 1.6  # all four may cost so many times the dearest one
ALL = "all four"


def main() -> None:
    options = parse()
    tree = Tree()
    with Site() as site, EngineHost() as host, tempfile.TemporaryDirectory() as scratch:
        tree.ignored.add(site.pid)
        host.warm_up()
        measured = [
            one
            for round_ in range(options.rounds + 1)  # the first one warms up
            for piece in options.pieces.split(",")
            for one in turn(tree, host, site.url(piece), piece, round_, options, Path(scratch))
        ]
    measured = [one for one in measured if one["round"]]
    summary = {piece: summarise(measured, piece) for piece in options.pieces.split(",")}
    raw = {"machine": facts.machine(), "versions": facts.versions(), "settings": vars(options), "limit": LIMIT}
    path = facts.write("formats", options.label, {**raw, "summary": summary, "measurements": measured})
    print(report(summary))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m bench.formats", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--pieces", default=PIECES, help=f"default {PIECES}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is made (default 5)")
    parser.add_argument("--side", type=int, default=512, help="pixels (default 512)")
    parser.add_argument("--frames", type=int, default=32, help="at 30 a second (default 32)")
    parser.add_argument("--label", default="", help="names the result file, in place of the number of cores")
    parser.add_argument("--quick", action="store_true", help="two rounds of two pieces: a look, not a result")
    quick, _ = parser.parse_known_args()
    if quick.quick:
        parser.set_defaults(rounds=2, pieces="tc-canvas,orbit")
    return parser.parse_args()


def turn(
    tree: Tree, host: EngineHost, url: str, piece: str, round_: int, options: argparse.Namespace, scratch: Path
) -> list[dict[str, Any]]:
    """Each format alone, then all: right after one another, so that noise hits all alike."""
    found = []
    for name in [*Format, ALL]:
        spec = spec_of(name, url, options)
        before, cpu, started = facts.load(), cpu_s(tree), time.monotonic()
        result = host.capture(spec, scratch).result(120)
        wall = time.monotonic() - started
        check(result, spec)
        one = {"round": round_, "piece": piece, "what": str(name), "wall_s": wall, "cpu_s": cpu_s(tree) - cpu}
        found.append({**one, "load_average": before, "bytes": [file.path.stat().st_size for file in result.files]})
    return found


def spec_of(name: str, url: str, options: argparse.Namespace) -> CaptureSpec:
    side = options.side
    outputs = tuple(Output(format_, side, side) for format_ in Format) if name == ALL else ()
    return CaptureSpec(
        url=url,
        format=Format.WEBP if name == ALL else Format(name),
        outputs=outputs,
        width=side,
        height=side,
        duration_ms=options.frames * 1000 // 30,
        fps=30.0,
        playback_fps=30.0,
    )


def cpu_s(tree: Tree) -> float:
    """Of the browser, of ffmpeg and of this process, which encodes."""
    own = os.times()
    return tree.cpu_s() + own.user + own.system


def check(result: CaptureResult, spec: CaptureSpec) -> None:
    """A capture that did less than it should is no measurement."""
    assert [file.format for file in result.files] == list(spec.formats)
    for file in result.files:
        assert file.frames == (spec.frame_count if file.format.animated else 1), file
        assert file.path.stat().st_size > 100, file


def summarise(measured: list[dict[str, Any]], piece: str) -> dict[str, Any]:
    """Medians, and all four against the dearest alone."""
    found: dict[str, Any] = {}
    for key in ("wall_s", "cpu_s"):
        rows = {
            what: statistics.median(m[key] for m in measured if m["piece"] == piece and m["what"] == what)
            for what in [*map(str, Format), ALL]
        }
        together = rows.pop(ALL)
        dearest = max(rows, key=lambda what: rows[what])
        sum_ = sum(rows.values())
        found[key] = {
            **{what: round(value, 3) for what, value in rows.items()},
            ALL: round(together, 3),
            "dearest": dearest,
            "ratio": round(together / rows[dearest], 2),
            "one after the other": round(sum_ / together, 2),
        }
    return found


def report(summary: dict[str, Any]) -> str:
    head = ["piece", *map(str, Format), ALL, "dearest", f"ratio (at most {LIMIT})", "one by one"]
    rows = []
    for piece, keys in summary.items():
        for key, found in keys.items():
            figures = [f"{found[what]:.2f}" for what in [*map(str, Format), ALL]]
            tail = [found["dearest"], f"{found['ratio']:.2f}", f"{found['one after the other']:.2f}"]
            rows.append([f"{piece}, {'wall' if key == 'wall_s' else 'CPU'} s", *figures, *tail])
    return facts.table(head, rows)


if __name__ == "__main__":
    main()
