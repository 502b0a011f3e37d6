"""The systems that are compared: each is entered, asked for grabs from some threads, and left.

Entered means: started, and warm as far as it can be. `grab` returns the file's bytes or raises.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

from bench.facts import ROOT
from bench.shooter import READY, Order, as_line
from bench.site import Site
from captures.engine.chromium import find_headless_shell
from tests.e2e.stack import Stack

SIDE = 512
PLAYBACK_FPS = 15.0


class System(ABC):
    """`warm` grabs are made before anything is measured."""

    name = ""
    warm = 1

    def __init__(self, site: Site) -> None:
        self.site = site
        self.held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as held:
            self.held = held
            self.scratch = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="oven-bench-")))
            self.start()
            self.held = held.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.held.close()

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def grab(self, piece: str, kind: str) -> bytes: ...


class Oven(System):
    """The whole service: supervisor, web, capture workers, light worker, scheduler, Valkey."""

    def __init__(self, site: Site, workers: int, duration_ms: int, fps: float) -> None:
        super().__init__(site)
        self.name, self.workers, self.warm = f"oven-{workers}", workers, 2 * workers
        self.motion = f"&duration={duration_ms}&fps={fps:g}&playbackFps={PLAYBACK_FPS:g}"
        self.serial = itertools.count()

    def start(self) -> None:
        self.stack = self.held.enter_context(Stack(self.scratch / "data", self.site.origin, self.workers))

    def grab(self, piece: str, kind: str) -> bytes:
        """Every grab has a cache key of its own: none is answered from the cache, none joins another."""
        motion = "" if kind == "png" else self.motion
        answer = self.stack.get(f"/grab/{kind}/{SIDE}/{SIDE}/{piece}?cacheKey=b{next(self.serial)}{motion}")
        if answer.status_code != 200 or answer.headers.get("x-cache") != "MISS":
            raise RuntimeError(f"{answer.status_code} {answer.headers.get('x-cache')} {answer.text[:200]}")
        return answer.content


class Screenshots(System):
    """The page.screenshot way, in a process of its own; one grab at a time."""

    name = "page.screenshot"

    def __init__(self, site: Site, frames: int, sleep_ms: float, settle_ms: float) -> None:
        super().__init__(site)
        self.frames, self.sleep_ms, self.settle_ms = frames, sleep_ms, settle_ms

    def start(self) -> None:
        command = [sys.executable, "-m", "bench.shooter"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.held.callback(self.process.communicate)

    def grab(self, piece: str, kind: str) -> bytes:
        out = self.scratch / "out.webp"
        order = Order(
            self.site.url(piece),
            str(out),
            frames=self.frames,
            sleep_ms=self.sleep_ms,
            settle_ms=self.settle_ms,
            side=SIDE,
            playback_fps=PLAYBACK_FPS,
        )
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(as_line(order))
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline() or '{"ok": false, "error": "it ended"}')
        if not answer["ok"]:
            raise RuntimeError(answer["error"])
        return out.read_bytes()


class ShotScraper(System):
    """shot-scraper's command, once for every still, with the same Chromium in place of its own."""

    name = "shot-scraper"

    def start(self) -> None:
        self.serial = itertools.count()
        self.env = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(self.scratch / "browsers")}
        for _ in range(3):
            done = self._run(self.site.origin, self.scratch / "gallery.png")
            if done.returncode == 0:
                return
            missing = re.search(r"Executable doesn't exist at (\S+)", done.stderr)
            if missing is None:
                break
            self._put_chromium(Path(missing[1]))
        raise RuntimeError(f"shot-scraper does not run: {done.stderr[-500:]}")

    def _put_chromium(self, path: Path) -> None:
        """Where Playwright looks for a browser of its own."""
        path.parent.mkdir(parents=True)
        path.symlink_to(find_headless_shell())
        (path.parents[1] / "INSTALLATION_COMPLETE").touch()

    def grab(self, piece: str, kind: str) -> bytes:
        out = self.scratch / f"{next(self.serial)}.png"
        done = self._run(self.site.url(piece), out, "--wait-for", READY)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return out.read_bytes()

    def _run(self, url: str, out: Path, *more: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("shot-scraper")), "shot", url, "-o", str(out), "--silent"]
        command += ["--width", str(SIDE), "--height", str(SIDE), "--browser-arg=--no-sandbox", *more]
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120, check=False)
