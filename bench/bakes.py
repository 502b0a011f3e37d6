"""Bakes through the whole service, POST to accepted callback, next to the engine alone and to ffmpeg's ways.

python -m bench.bakes           five rounds of an 8 s tape, and one of 120 s
python -m bench.bakes --quick   two rounds of 120 frames, and none of 120 s
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench import bakes_engine as alone
from bench import facts
from bench.bakes_engine import Place, Usage
from bench.tree import Tree
from tests.e2e.stack import Stack
from tests.site_server import Site

SERVICE, LONG = "Oven, POST to callback", "Oven, a tape of 120 s"
LONG_FRAMES = 3600


def main() -> None:
    options = parse()
    start = {
        "machine": facts.machine(),
        "versions": {**facts.versions(), "av": version("av")},
        "settings": vars(options),
    }
    with tempfile.TemporaryDirectory(prefix="bench-bakes-") as directory, Site() as site:
        place = alone.prepare(Path(directory), options.frames)
        with Service(Path(directory) / "data", site) as service:
            service.bake("warm", place.tape)
            runs = [run for number in range(1, options.rounds + 1) for run in round_of(service, place, number)]
            files = {way: alone.judge(place, way) for way in [SERVICE, *alone.WAYS]}
            if not options.quick:
                runs.append(service.long_run(Path(directory)))
    summary = summarise(runs, files)
    path = facts.write("bakes", options.label, {**start, "summary": summary, "runs": runs})
    print(report(summary))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.bakes", description=__doc__.splitlines()[0] if __doc__ else "")
    add = parser.add_argument
    add("--frames", type=int, default=480, help="of the tape (default 480)")
    add("--rounds", type=int, default=5, help="of all ways in turns (default 5)")
    add("--label", default="", help="names the machine in the result's file")
    add("--quick", action="store_true", help="a look, not a result")
    options = parser.parse_args()
    if options.quick:
        options.frames, options.rounds = 120, 2
    return options


def round_of(service: Service, place: Place, number: int) -> Iterator[dict[str, Any]]:
    out = alone.folder(place, SERVICE)
    out.mkdir(exist_ok=True)
    yield service.run(f"round{number}", place.tape, SERVICE, number, out / "video.mp4")
    for way in alone.WAYS:
        yield alone.one_run(way, place, number)


class Service:
    """An Oven that bakes for a site of ours; it idles while the others are measured."""

    def __init__(self, data: Path, site: Site) -> None:
        self.site, self.tree = site, Tree()
        env = {"OVEN_CALLBACK_SECRET": "shared", "OVEN_TAPE_ORIGINS": site.origin}
        self.stack = Stack(data, site.origin, workers=0, OVEN_CALLBACK_ORIGINS=site.origin, **env)

    def __enter__(self) -> Service:
        self.stack.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.stop()

    def run(self, code: str, tape: Path, way: str, number: int, out: Path | None = None) -> dict[str, Any]:
        load = facts.load()
        usage = self.bake(code, tape)
        video = self.stack.file(f"tapes/{code}.mp4", "blobs")
        if out:
            out.write_bytes(video.read_bytes())
        facts.say(f"round {number}, {way}: {usage.wall_s:.2f} s, {usage.cpu_s:.2f} CPU-s, {usage.peak_mb:.0f} MB")
        size = video.stat().st_size
        return {"way": way, "round": number, **usage._asdict(), "bytes": size, "load_average": load}

    def bake(self, code: str, tape: Path) -> Usage:
        """CPU is that of the whole service; memory is the most of the process that bakes."""
        self.site.pages[f"/{code}.zip"] = tape.read_bytes()
        cpu, began = self.tree.cpu_s(), time.monotonic()
        with Peak(self.stack) as peak:
            answer = self.stack.http.post("/bake", json=self.site.wish(code, f"/{code}.zip"))
            answer.raise_for_status()
            self.stack.until(lambda: self.site.of(code), 300, 0.01)
            wall = time.monotonic() - began
        body = self.site.of(code)[-1].json
        if "error" in body:
            raise SystemExit(f"{code}: {body['error']}")
        return Usage(wall, self.tree.cpu_s() - cpu, peak.resident_mb)

    def long_run(self, directory: Path) -> dict[str, Any]:
        place = alone.prepare(directory / "long", LONG_FRAMES, rate=LONG_FRAMES / 120)
        return self.run("long", place.tape, LONG, 1)


class Peak(threading.Thread):
    """The most that the process which bakes has held at a time."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.stack, self.resident_mb, self._over = stack, 0.0, threading.Event()

    def __enter__(self) -> Peak:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        workers = self.stack.children("bake_worker")
        while not self._over.wait(0.05):
            for worker in workers:
                with contextlib.suppress(psutil.Error):
                    for horse in worker.children():
                        self.resident_mb = max(self.resident_mb, horse.memory_info().rss / 2**20)


def summarise(runs: list[dict[str, Any]], files: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    rows = []
    for way in dict.fromkeys(run["way"] for run in runs):
        own = [run for run in runs if run["way"] == way]
        medians = {key: statistics.median(run[key] for run in own) for key in ("wall_s", "cpu_s", "bytes")}
        walls = [run["wall_s"] for run in own]
        most = {"peak_mb": max(run["peak_mb"] for run in own), "fastest_s": min(walls), "slowest_s": max(walls)}
        rows.append({"way": way, **medians, **most, **files.get(way, {})})
    floor = next(row for row in rows if row["way"] == alone.SAME)
    for row in rows:
        row["wall_ratio"], row["cpu_ratio"] = (row[key] / floor[key] for key in ("wall_s", "cpu_s"))
    return rows


def report(summary: list[dict[str, Any]]) -> str:
    head = ["", "seconds", "range", "ratio", "CPU-s", "ratio", "peak MB", "KB", "SSIM Y", "SSIM RGB", "PSNR RGB"]
    blank = {"ssim_y": float("nan"), "ssim_rgb": float("nan"), "psnr_rgb": float("nan")}
    return facts.table(head, [alone.cells({**blank, **row}) for row in summary])


if __name__ == "__main__":
    main()
