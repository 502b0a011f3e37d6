"""Frame times: how far each frame is from its moment, and whether runs repeat. The engine, and page.screenshot.

python -m bench.frames           the full run
python -m bench.frames --quick   one piece, two runs of 16 frames
"""

from __future__ import annotations

import argparse
import io
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageSequence

from bench import facts
from bench.shooter import Order, Shooter
from bench.site import Site
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureSpec, Format
from tests.timecode import CSS_WRAP_MS, WRAP_MS, UnreadableCode, decode, decode_css, series_errors

PIECES = "tc-canvas,tc-webgl,tc-css,tc-mixed,tc-svg,tc-worker"
QUALITY = 90
WAYS = ("engine", "page.screenshot")

Shoot = Callable[[str], tuple[list[Image.Image], str]]  # a piece's frames, and how they were made


def main() -> None:
    options = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what we have started, like Ctrl-C
    start = {"machine": facts.machine(), "versions": facts.versions(), "settings": vars(options)}
    with Site() as site, EngineHost() as host, Shooter() as shooter:
        host.warm_up()
        ways: dict[str, Shoot] = {
            "engine": lambda piece: by_engine(host, site, piece, options),
            "page.screenshot": lambda piece: by_screenshots(shooter, site, piece, options),
        }
        runs = [
            one_run(ways[way], way, piece, number, options.fps)
            for piece in options.pieces
            for number in range(1, options.runs + 1)
            for way in WAYS
        ]
    summary = [summarise(runs, piece, way) for piece in options.pieces for way in WAYS]
    path = facts.write("frames", options.label, {**start, "summary": summary, "runs": runs})
    print(report(summary))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.frames", description=__doc__.splitlines()[0] if __doc__ else "")
    add = parser.add_argument
    add("--pieces", type=lambda text: text.split(","), default=PIECES, help=f"with a time code (default {PIECES})")
    add("--frames", type=int, default=60, help="of each capture (default 60)")
    add("--fps", type=float, default=30.0, help="of each capture (default 30)")
    add("--runs", type=int, default=3, help="of each piece and way (default 3)")
    add("--interval-sleep", action="store_true", help="page.screenshot sleeps 1000 / fps, not 33 ms")
    add("--label", default="", help="names the result file, in place of the number of cores")
    add("--quick", action="store_true", help="one piece, two runs of 16 frames")
    quick, _ = parser.parse_known_args()
    if quick.quick:
        parser.set_defaults(pieces="tc-canvas", frames=16, runs=2)
    return parser.parse_args()


def by_engine(host: EngineHost, site: Site, piece: str, options: argparse.Namespace) -> tuple[list[Image.Image], str]:
    spec = CaptureSpec(
        url=site.url(piece),
        format=Format.WEBP,
        duration_ms=round(options.frames * 1000 / options.fps),
        fps=options.fps,
        playback_fps=options.fps,
        quality=QUALITY,
    )
    with tempfile.TemporaryDirectory() as scratch:
        made = host.capture(spec, Path(scratch)).result(120)
        with Image.open(made.path) as animation:
            return [frame.convert("RGB") for frame in ImageSequence.Iterator(animation)], str(made.mode)


def by_screenshots(
    shooter: Shooter, site: Site, piece: str, options: argparse.Namespace
) -> tuple[list[Image.Image], str]:
    sleep_ms = 1000 / options.fps if options.interval_sleep else 33.0
    shots = shooter.shots(Order(site.url(piece), frames=options.frames, sleep_ms=sleep_ms))
    return [Image.open(io.BytesIO(shot)).convert("RGB") for shot in shots], "realtime"


def one_run(shoot: Shoot, way: str, piece: str, number: int, fps: float) -> dict[str, Any]:
    """The moments written on the frames, and how far they are from the first one's grid."""
    load, started = facts.load(), time.monotonic()
    frames, mode = shoot(piece)
    run: dict[str, Any] = {"piece": piece, "way": way, "run": number, "mode": mode, "load_average": load}
    run["seconds"] = round(time.monotonic() - started, 3)
    css = piece == "tc-css"
    read = [moment(frame, css) for frame in frames]
    times = [time_ms for time_ms in read if time_ms is not None]
    run |= {"frames": len(frames), "unreadable": len(read) - len(times), "times_ms": read}
    if len(times) == len(read):
        error, duplicates, drops = series_errors(times, fps, wrap=CSS_WRAP_MS if css else WRAP_MS)
        run |= {"max_error_ms": round(error, 3), "duplicates": duplicates, "drops": drops}
    facts.say("  ".join(f"{name}: {run[name]}" for name in SHOWN if name in run))
    return run


SHOWN = ("piece", "way", "run", "mode", "seconds", "frames", "unreadable", "max_error_ms", "duplicates", "drops")


def moment(frame: Image.Image, css: bool) -> float | None:
    try:
        return round(decode_css(frame) if css else decode(frame), 2)
    except UnreadableCode:
        return None


def summarise(runs: list[dict[str, Any]], piece: str, way: str) -> dict[str, Any]:
    """The worst of the runs, and how far they differ from each other."""
    group = [run for run in runs if run["piece"] == piece and run["way"] == way]
    readable = [run for run in group if "max_error_ms" in run]
    row: dict[str, Any] = {"piece": piece, "way": way, "runs": len(group)}
    row["modes"] = sorted({run["mode"] for run in group})
    row |= {name: sorted({run[name] for run in group}) for name in ("frames", "unreadable")}
    for name in ("max_error_ms", "duplicates", "drops"):
        row[name] = max((run[name] for run in readable), default=None)
    row["seconds"] = facts.percentile([run["seconds"] for run in group], 50)
    wrap = CSS_WRAP_MS if piece == "tc-css" else WRAP_MS
    row["differ_ms"] = differ([run["times_ms"] for run in readable], wrap) if len(readable) == len(group) else None
    row["identical"] = row["differ_ms"] == 0
    return row


def differ(series: list[list[float]], wrap: float) -> float | None:
    """The largest difference between runs of one frame's time since its run's first frame."""
    if len({len(times) for times in series}) != 1:
        return None
    since = [[(now - times[0]) % wrap for now in times] for times in series]
    spread: float = max(max(moments) - min(moments) for moments in zip(*since, strict=True))
    return round(spread, 2)


def report(rows: list[dict[str, Any]]) -> str:
    head = ["piece, way", "mode", "frames", "max error ms", "duplicates", "drops", "runs differ ms", "identical", "s"]
    return facts.table(head, [_cells(row) for row in rows])


def _cells(row: dict[str, Any]) -> list[str]:
    counts = "/".join(str(count) for count in row["frames"])
    unread = max(row["unreadable"])
    values = [row[name] for name in ("max_error_ms", "duplicates", "drops", "differ_ms")]
    shown = ["?" if value is None else f"{value:g}" for value in values]
    frames = counts + (f" ({unread} unreadable)" if unread else "")
    last = ["yes" if row["identical"] else "no", f"{row['seconds']:.2f}"]
    return [f"{row['piece']}, {row['way']}", "/".join(row["modes"]), frames, *shown, *last]


if __name__ == "__main__":
    main()
