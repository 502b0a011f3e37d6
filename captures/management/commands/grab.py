import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from captures.engine.errors import CaptureError
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureResult, CaptureSpec, Format, Mode, Progress
from captures.requests import parse
from captures.running import browser_options
from oven_site.contract import BadRequest

SIDES = (16, 4096)  # a machine of one's own has room for more than the service gives strangers


class Command(BaseCommand):
    help = "Grabs a piece, a page or a file into a picture: no server, no queue, no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", help="a piece's name ($bloom), an address (https://…, file://…) or a file")
        parser.add_argument("-o", "--output", required=True, help="the file to write; its ending says the format")
        parser.add_argument("--format", choices=[f.value for f in Format], help="instead of the file's ending")
        parser.add_argument("--width", type=int, default=512, help="CSS pixels, 16 to 4096 (512)")
        parser.add_argument("--height", type=int, default=512, help="CSS pixels, 16 to 4096 (512)")
        parser.add_argument("--duration", type=float, default=12000, help="milliseconds captured (12000)")
        parser.add_argument("--fps", type=float, default=7.5, help="frames captured a second (7.5)")
        parser.add_argument(
            "--playback-fps", type=float, help="frames played a second (15; `--fps` with --real-time)"
        )
        parser.add_argument("--real-time", action="store_true", help="play at the speed of capture")
        parser.add_argument("--density", type=float, default=1, help="file pixels a CSS pixel (1)")
        parser.add_argument("--viewport-scale", type=float, help="the same, apart from the piece's own density")
        parser.add_argument("--quality", type=int, default=80, help="1 to 100, of WebP and MP4 (80)")
        parser.add_argument("--transparent", action="store_true", help="keep transparency (png, webp)")
        parser.add_argument("--mode", choices=[m.value for m in Mode], help="only this way of driving time")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        output = Path(options["output"])
        spec = self._spec(options, output)
        with tempfile.TemporaryDirectory(prefix="oven-grab-") as scratch, EngineHost(browser_options()) as host:
            bar = tqdm(
                total=100, unit="%", disable=options["quiet"] or None, bar_format="{desc:<34} {bar} {n:3.0f} %"
            )
            future = host.capture(spec, Path(scratch), lambda progress: _show(bar, progress))
            try:
                result = future.result()
            except KeyboardInterrupt:
                future.cancel()
                raise CommandError("Stopped.") from None
            except CaptureError as error:
                raise CommandError(f"{error.message} ({error.code})") from None
            finally:
                bar.close()
            output.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(result.path, output)
        self.stdout.write(_summary(output, result))

    def _spec(self, options: dict[str, Any], output: Path) -> CaptureSpec:
        format_ = options["format"] or output.suffix.removeprefix(".").lower()
        if format_ not in [f.value for f in Format]:
            raise CommandError(f"{output}: end the name in {', '.join(Format)}, or say --format.")
        playback = options["playback_fps"] or (options["fps"] if options["real_time"] else 15.0)
        try:
            wish = parse(
                {
                    "piece": "page" if address(options["target"]) else options["target"],
                    "format": format_,
                    "width": options["width"],
                    "height": options["height"],
                    "duration": options["duration"],
                    "fps": options["fps"],
                    "playbackFps": playback,
                    "density": options["density"],
                    "viewportScale": options["viewport_scale"],
                    "quality": options["quality"],
                    "transparent": options["transparent"],
                },
                sides=SIDES,
            )
        except BadRequest as bad:
            raise CommandError(bad.message) from None
        spec = wish.to_spec()
        changes: dict[str, Any] = {}
        if url := address(options["target"]):  # the user's own machine: any address they like
            changes = {"url": url, "wait_for_idle": True}
        if options["mode"]:
            changes["modes"] = (Mode(options["mode"]),)
        return replace(spec, **changes)


def address(target: str) -> str:
    """The URL that a target names by itself; empty for a piece's name."""
    if urlsplit(target).scheme in ("http", "https", "file", "data"):
        return target
    path = Path(target)
    if path.suffix.lower() in (".html", ".htm", ".svg") and path.is_file():
        return path.resolve().as_uri()
    return ""


def _show(bar: Any, progress: Progress) -> None:
    bar.set_description_str(progress.detail or progress.stage, refresh=False)
    bar.update(max(0, progress.percent - bar.n))


def _summary(output: Path, result: CaptureResult) -> str:
    still = f", a still ({result.still_reason})" if result.still_reason else ""
    return (
        f"{output}: {result.format} {result.width}×{result.height}, {result.frames} frame{'s' * (result.frames != 1)}"
        f"{still}, {result.size / 1024:.0f} kB; {result.mode} mode, ready by {result.ready} at {result.ready_ms} ms"
    )
