"""Peers that are Node programs, and what the benchmarks of bundles measure and tell in the same way."""

from __future__ import annotations

import gzip
import json
import re
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.bundles.packages import installed

HERE = Path(__file__).resolve().parent
BROTLI = """
const { brotliCompressSync } = require('node:zlib');
process.stdout.write(String(brotliCompressSync(require('node:fs').readFileSync(0)).length));
"""


class Peer:
    """A Node process that answers each line of JSON with one, until its input ends."""

    def __init__(self, node: str, script: str) -> None:
        command = [node, str(HERE / script), str(installed())]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **fields: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(fields) + "\n")
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


def version(node: str) -> str:
    return subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()


def package_version(name: str) -> str:
    return str(json.loads((installed() / name / "package.json").read_text())["version"])


def peak_mb(pid: int | str | None) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) >> 10 if found else 0


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def sizes(data: bytes, node: str) -> dict[str, int]:
    """As it is, and as a web server would send it at best."""
    brotli = subprocess.run([node, "-e", BROTLI], input=data, capture_output=True, check=True).stdout
    return {"raw": len(data), "gzip": len(gzip.compress(data, 9, mtime=0)), "brotli": int(brotli)}


# Tables -------------------------------------------------------------------------------------------------------------


def column(pairs: list[dict[str, Any]], *keys: str) -> list[float]:
    """A figure of every pair."""
    found: list[Any] = pairs
    for key in keys:
        found = [pair[key] for pair in found]
    return found


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [b / a for a, b in zip(ours, theirs, strict=True)]


def row(name: str, ours: list[float], theirs: list[float]) -> list[str]:
    """Medians; the ratio is the median of those of the pairs, above 1 where Oven takes less."""
    found = ratios(ours, theirs)
    pairs = " ".join(f"{ratio:.1f}" for ratio in found) if len(found) > 1 else ""
    medians = [f"{statistics.median(values):.4g}" for values in (ours, theirs)]
    return [name, *medians, f"{statistics.median(found):.2f}", pairs]


def size_row(name: str, ours: int, theirs: int) -> list[str]:
    return [name, str(ours), str(theirs), f"{ours / theirs * 100:.1f} %"]
