"""Bakes: the engine alone, next to ffmpeg on frames that are extracted already, and to unzipping and encoding all.

python -m bench.bakes_engine           the full run, five rounds
python -m bench.bakes_engine --quick   two rounds of 120 frames
"""

from __future__ import annotations

import argparse
import math
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import wave
import zipfile
from array import array
from collections.abc import Callable, Iterator
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw

from bakes.engine.bake import bake
from bakes.engine.spec import BakeSpec
from bakes.engine.writer import TapeWriter
from bench import facts

SIDE, TIMES = 256, 3
RATE = 60  # frames a second, on the average
SCALE = f"scale=iw*{TIMES}:ih*{TIMES}:flags=neighbor:out_color_matrix=bt709:out_range=tv,format=yuv420p"
ENGINE, SAME, ORIGINAL = "Oven's engine", "ffmpeg, same settings", "unzip, ffmpeg's default"
TO_RGB = "scale=in_color_matrix=bt709:in_range=tv:flags=bicubic+full_chroma_int+accurate_rnd,format=gbrp"


class Place(NamedTuple):
    """Where one run finds its work: the tape, and the same extracted."""

    tape: Path
    frames: Path
    out: Path


class Usage(NamedTuple):
    wall_s: float
    cpu_s: float
    peak_mb: float


def main() -> None:
    options = parse()
    if options.bake:
        bake(BakeSpec(Path(options.bake[0])), Path(options.bake[1]))
        return
    if options.unzip:
        unzip_and_encode(*map(Path, options.unzip))
        return
    start = {
        "machine": facts.machine(),
        "versions": {**facts.versions(), "av": version("av")},
        "settings": vars(options),
    }
    with tempfile.TemporaryDirectory(prefix="bench-bakes-") as directory:
        place = prepare(Path(directory), options.frames)
        runs = [one_run(way, place, number) for number in range(1, options.rounds + 1) for way in WAYS]
        files = {way: judge(place, way) for way in WAYS}
    summary = summarise(runs, files)
    path = facts.write("bakes-engine", options.label, {**start, "summary": summary, "runs": runs})
    print(report(summary))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m bench.bakes_engine", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    add = parser.add_argument
    add("--frames", type=int, default=480, help="of the tape (default 480)")
    add("--rounds", type=int, default=5, help="of all ways in turns (default 5)")
    add("--label", default="", help="names the machine in the result's file")
    add("--quick", action="store_true", help="a look, not a result")
    add("--bake", nargs=2, help=argparse.SUPPRESS)  # a run of one way, in a process of its own
    add("--unzip", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.frames, options.rounds = 120, 2
    return options


def same_settings(place: Place) -> list[str]:
    spec = BakeSpec(place.tape)
    settings = ["-preset", spec.preset, "-crf", str(spec.crf), "-b:a", str(spec.sound_bitrate)]
    return ffmpeg(place.frames, place.out, *settings)


def ffmpeg(frames: Path, out: Path, *settings: str) -> list[str]:
    source = ["-r", str(RATE), "-i", str(frames / "frame-%05d.png"), "-i", str(frames / "soundtrack.wav")]
    target = [
        "-vf",
        SCALE,
        "-c:v",
        "libx264",
        "-c:a",
        "aac",
        *settings,
        "-movflags",
        "+faststart",
        str(out / "video.mp4"),
    ]
    return ["ffmpeg", "-v", "error", "-nostdin", "-y", *source, *target]


def myself(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bench.bakes_engine", *arguments]


WAYS: dict[str, Callable[[Place], list[str]]] = {
    ENGINE: lambda place: myself("--bake", str(place.tape), str(place.out)),
    SAME: same_settings,
    ORIGINAL: lambda place: myself("--unzip", str(place.tape), str(place.out / "frames"), str(place.out)),
}


def unzip_and_encode(tape: Path, frames: Path, out: Path) -> None:
    with zipfile.ZipFile(tape) as file:
        file.extractall(frames)
    subprocess.run(ffmpeg(frames, out, "-b:a", "128k"), check=True)


def one_run(way: str, place: Place, number: int) -> dict[str, Any]:
    place = place._replace(out=folder(place, way))
    place.out.mkdir(exist_ok=True)
    load = facts.load()
    usage = measure(WAYS[way](place))
    size = (place.out / "video.mp4").stat().st_size
    facts.say(f"round {number}, {way}: {usage.wall_s:.2f} s, {usage.cpu_s:.2f} CPU-s, {usage.peak_mb:.0f} MB")
    return {"way": way, "round": number, **usage._asdict(), "bytes": size, "load_average": load}


def folder(place: Place, way: str) -> Path:
    """Where a way puts its video."""
    return place.out / re.sub(r"\W+", "-", way)


def measure(command: list[str]) -> Usage:
    """A process from its start to its end, with those that it waits for; memory is the largest of them.

    The kernel counts what we ourselves held at most as the child's, so this process must stay smaller than any child.
    """
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=facts.ROOT)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def judge(place: Place, way: str) -> dict[str, float]:
    """How like the enlarged frames the video is: SSIM of brightness and of colour (1 is the same), PSNR (dB)."""
    video = folder(place, way) / "video.mp4"
    nearest = f"scale=iw*{TIMES}:ih*{TIMES}:flags=neighbor"
    graph = (
        f"[0:v]settb=1/60,setpts=N,split[a][b];[1:v]{nearest},format=gbrp,settb=1/60,setpts=N,split[c][d];"
        f"[a]{TO_RGB},split[e][h];[c]split[i][j];[e][i]ssim,nullsink;[h][j]psnr,nullsink;"
        f"[b]extractplanes=y[f];[d]scale=out_color_matrix=bt709:out_range=tv,format=yuv444p,extractplanes=y[g];[f][g]ssim"
    )
    inputs = ["-i", str(video), "-i", str(place.frames / "frame-%05d.png")]
    command = ["ffmpeg", "-v", "info", *inputs, "-lavfi", graph, "-fps_mode", "passthrough", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    color = re.search(r"SSIM R:.* All:([\d.]+)", said)
    brightness = re.search(r"SSIM Y:([\d.]+)", said)
    error = re.search(r"PSNR r:.* average:([\d.]+)", said)
    if not color or not brightness or not error:
        raise SystemExit(f"ffmpeg told no likeness:\n{said[-500:]}")
    return {"ssim_y": float(brightness[1]), "ssim_rgb": float(color[1]), "psnr_rgb": float(error[1])}


def summarise(runs: list[dict[str, Any]], files: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    rows = []
    for way in WAYS:
        own = [run for run in runs if run["way"] == way]
        medians = {key: statistics.median(run[key] for run in own) for key in ("wall_s", "cpu_s", "peak_mb", "bytes")}
        walls = [run["wall_s"] for run in own]
        rows.append({"way": way, **medians, "fastest_s": min(walls), "slowest_s": max(walls), **files[way]})
    for row in rows:
        row["wall_ratio"], row["cpu_ratio"] = (row[key] / rows[1][key] for key in ("wall_s", "cpu_s"))
    return rows


def report(summary: list[dict[str, Any]]) -> str:
    head = ["", "seconds", "range", "ratio", "CPU-s", "ratio", "peak MB", "KB", "SSIM Y", "SSIM RGB", "PSNR RGB"]
    return facts.table(head, [cells(row) for row in summary])


def cells(row: dict[str, Any]) -> list[str]:
    numbers = [f"{row['wall_s']:.2f}", f"{row['fastest_s']:.2f}-{row['slowest_s']:.2f}", f"{row['wall_ratio']:.2f}"]
    numbers += [
        f"{row['cpu_s']:.2f}",
        f"{row['cpu_ratio']:.2f}",
        f"{row['peak_mb']:.0f}",
        f"{row['bytes'] / 1024:.0f}",
    ]
    return [row["way"], *numbers, f"{row['ssim_y']:.4f}", f"{row['ssim_rgb']:.4f}", f"{row['psnr_rgb']:.2f}"]


# The tape: pixel art that scrolls, with sprites, text and uneven times


def prepare(directory: Path, count: int, rate: float = RATE) -> Place:
    place = Place(directory / "tape.zip", directory / "frames", directory)
    place.frames.mkdir(parents=True)
    dice = random.Random(11)
    durations = [dice.uniform(0.9, 1.1) * 1000 / rate for _ in range(count)]
    sound = place.frames / "soundtrack.wav"
    write_sound(sound, sum(durations) / 1000)
    with TapeWriter(place.tape) as tape:
        for index, frame in enumerate(pixel_art(count, dice)):
            data = BytesIO()
            frame.save(data, "PNG")
            tape.add_frame(data.getvalue(), durations[index])
            (place.frames / f"frame-{index:05d}.png").write_bytes(data.getvalue())
        tape.finish(sound)
    return place


def pixel_art(count: int, dice: random.Random) -> Iterator[Image.Image]:
    palette = [tuple(dice.choices(range(256), k=3)) for _ in range(24)]
    world = tiles(palette, dice)
    return (scene(world, palette, index) for index in range(count))


def tiles(palette: list[tuple[int, ...]], dice: random.Random) -> Image.Image:
    """A map of 64 by 64 tiles of 16 pixels, each a few shapes and specks."""
    kinds = []
    for _ in range(20):
        tile = Image.new("RGB", (16, 16), dice.choice(palette))
        draw = ImageDraw.Draw(tile)
        for _ in range(3):
            x, y = dice.randrange(12), dice.randrange(12)
            draw.rectangle((x, y, x + 4, y + 4), dice.choice(palette))
        draw.point([(dice.randrange(16), dice.randrange(16)) for _ in range(10)], dice.choice(palette))
        kinds.append(tile)
    world = Image.new("RGB", (1024, 1024))
    for cell in range(64 * 64):
        world.paste(dice.choice(kinds), (cell % 64 * 16, cell // 64 * 16))
    return world


def scene(world: Image.Image, palette: list[tuple[int, ...]], index: int) -> Image.Image:
    left, top = int(index * 1.5) % (1024 - SIDE), int(380 + 300 * math.sin(index / 70))
    image = world.crop((left, top, left + SIDE, top + SIDE)).convert("RGBA")
    draw = ImageDraw.Draw(image)
    for number in range(12):
        turn = index / 20 + number
        x, y = 128 + 90 * math.cos(turn * (1 + number % 3 * 0.3)), 128 + 90 * math.sin(turn * 0.8 + number)
        draw.ellipse((x - 10, y - 10, x + 10, y + 10), palette[number], "white")
    draw.text((8, 8), f"SCORE {index * 17:06d}", "white")
    return image


def write_sound(path: Path, seconds: float) -> None:
    rate = 48_000
    dice = random.Random(5)
    samples = array("h")
    for index in range(round(seconds * rate)):
        at = index / rate
        samples.append(int(9000 * math.sin(2 * math.pi * 220 * at) + dice.uniform(-1500, 1500)))
        samples.append(int(9000 * math.sin(2 * math.pi * (330 + 50 * math.sin(at)) * at)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


if __name__ == "__main__":
    main()
