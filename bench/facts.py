"""What a result must tell of its circumstances, and where results go."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import features

from captures.engine.chromium import find_headless_shell

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("playwright", "pillow", "shot-scraper", "django", "rq", "uvicorn")


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "ram_gb": round(memory / 2**30, 1),
        "kernel": platform.release(),
        "system": _os_name(),
        "load_average": load(),
        "root": os.geteuid() == 0,
    }


def versions() -> dict[str, str]:
    return {
        "chromium": _first_line(find_headless_shell(), "--version"),
        "ffmpeg": _first_line("ffmpeg", "-version").split(" Copyright")[0],
        "python": platform.python_version(),
        "libwebp in pillow": str(features.version("webp")),
        **{name: version(name) for name in PACKAGES},
        "git": _first_line("git", "rev-parse", "--short=12", "HEAD"),
        "git changes": str(len(_output("git", "status", "--porcelain", "--untracked-files=no").splitlines())),
    }


def load() -> list[float]:
    return [round(value, 2) for value in os.getloadavg()]


def write(what: str, label: str, results: dict[str, Any]) -> Path:
    """Files a run's raw results; the label says on what kind of machine, not on whose."""
    now = datetime.now(UTC)
    RESULTS.mkdir(parents=True, exist_ok=True)
    label = label or f"{machine()['cores']}core"
    path = RESULTS / f"{what}-{now:%Y%m%d-%H%M%S}-{label}.json"
    path.write_text(json.dumps({"what": what, "ended": f"{now:%Y-%m-%dT%H:%M:%SZ}", **results}, indent=1) + "\n")
    return path


def percentile(values: list[float], percent: float) -> float:
    """The value at or below which so many percent lie; nearest rank, so always a measured one."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)]


def table(head: list[str], rows: list[list[str]]) -> str:
    """Columns for a terminal that are a Markdown table as well; the first is flush left."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    rule = "|".join("-" * (width + 1) + (":" if i else "-") for i, width in enumerate(widths))
    return "\n".join([_line(head, widths), f"|{rule}|", *(_line(row, widths) for row in rows)])


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _line(cells: list[str], widths: list[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "| " + " | ".join(padded) + " |"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _first_line(*command: str) -> str:
    return (_output(*command).splitlines() or [""])[0].strip()


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False).stdout
    except OSError:
        return ""
