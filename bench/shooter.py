"""The page.screenshot way: one shared browser, a new tab a grab, screenshots with sleeps between, ffmpeg.

`python -m bench.shooter` takes orders as lines of JSON and answers each with one; `Shooter` is the same in process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from playwright.sync_api import Page, sync_playwright

from captures.engine.chromium import find_headless_shell

READY = "window.acPieceReady === true"
LIMIT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Order:
    url: str
    out: str = ""  # the WebP file; only used by `grab`
    frames: int = 16
    sleep_ms: float = 33.0
    settle_ms: float = 0.0
    side: int = 512
    playback_fps: float = 15.0
    quality: int = 80


class Shooter:
    """A warm browser that is entered."""

    def __enter__(self) -> Self:
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=find_headless_shell() or None, chromium_sandbox=False
        )
        self._context = self._browser.new_context(viewport={"width": 512, "height": 512})
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._playwright.stop()

    def shots(self, order: Order) -> list[bytes]:
        """PNG screenshots, as many as are asked for."""
        page = self._context.new_page()
        try:
            page.set_viewport_size({"width": order.side, "height": order.side})
            page.goto(order.url, wait_until="domcontentloaded", timeout=LIMIT_MS)
            page.wait_for_function(READY, timeout=LIMIT_MS)
            time.sleep(order.settle_ms / 1000)
            return [_shot(page, order.sleep_ms) for _ in range(order.frames)]
        finally:
            page.close()

    def grab(self, order: Order) -> None:
        """The same, then written to files and encoded into an animated WebP."""
        shots = self.shots(order)
        with tempfile.TemporaryDirectory(prefix="grab-") as scratch:
            for index, shot in enumerate(shots):
                (Path(scratch) / f"frame-{index:05}.png").write_bytes(shot)
            subprocess.run(_encode(Path(scratch) / "frame-%05d.png", order), check=True, capture_output=True)


def _shot(page: Page, sleep_ms: float) -> bytes:
    shot = page.screenshot(type="png")
    time.sleep(sleep_ms / 1000)
    return shot


def _encode(source: Path, order: Order) -> list[str]:
    """ffmpeg with the settings of the service that Oven replaces."""
    words = f"ffmpeg -y -loglevel error -framerate {order.playback_fps:g} -i {{}}"
    words += f" -vf scale={order.side}:{order.side}:flags=neighbor -c:v libwebp -lossless 0 -compression_level 6"
    words += f" -qmin 50 -qmax {order.quality} -quality {order.quality} -preset drawing -pix_fmt yuv420p"
    words += " -an -loop 0 -f webp {}"
    names = iter((str(source), order.out))
    return [next(names) if word == "{}" else word for word in words.split()]


def main() -> None:
    with Shooter() as shooter:
        for line in sys.stdin:
            try:
                shooter.grab(Order(**json.loads(line)))
                answer = {"ok": True}
            except Exception as error:
                answer = {"ok": False, "error": str(error).splitlines()[0]}  # type: ignore[dict-item]
            print(json.dumps(answer), flush=True)


def as_line(order: Order) -> str:
    return json.dumps(asdict(order)) + "\n"


if __name__ == "__main__":
    main()
