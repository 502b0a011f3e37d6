import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from bakes.recording import recording
from captures.browser import browser_options
from captures.engine.errors import CaptureError
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureSpec, Progress
from captures.management.commands.grab import address, origins, write_warnings
from captures.requests import parse
from oven.errors import BadRequest

SIDES = (16, 1280)
LONGEST_S = 300.0


class Command(BaseCommand):
    help = "Records a piece, a page or a file into a tape for bakes: no server, no queue, no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", help="a piece's name ($bloom), an address (https://…, file://…) or a file")
        parser.add_argument("-o", "--output", type=Path, required=True, help="the ZIP to write")
        parser.add_argument("--seconds", type=float, default=8.0, help="of the piece's own time (8)")
        parser.add_argument("--fps", type=float, default=60.0, help="frames a second, 1 to 60 (60)")
        parser.add_argument("--width", type=int, default=256, help="pixels, 16 to 1280 (256)")
        parser.add_argument("--height", type=int, default=256, help="pixels, 16 to 1280 (256)")
        parser.add_argument("--sound", type=Path, help="a WAV that becomes the soundtrack")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        sound, output = options["sound"], options["output"]
        if sound and not sound.is_file():
            raise CommandError(f"{sound}: there is no such file.")
        with ExitStack() as held:
            url = address(options["target"], held)
            spec = recording(self._spec(options, url), sound)
            scratch = held.enter_context(tempfile.TemporaryDirectory(prefix="oven-record-"))
            host = held.enter_context(EngineHost(browser_options(*origins(url))))
            bar = held.enter_context(tqdm(total=spec.frame_count, unit=" frames", disable=options["quiet"] or None))

            def report(progress: Progress) -> None:
                bar.update(max(0, progress.frames_done - bar.n))

            future = host.capture(spec, Path(scratch), report)
            try:
                result = future.result()
            except KeyboardInterrupt:
                future.cancel()
                raise CommandError("Stopped.") from None
            except CaptureError as error:
                raise CommandError(f"{error.message} ({error.code})") from None
            output.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(result.path, output)
        kilobytes = output.stat().st_size / 1024
        with_sound = " and a soundtrack" if sound else ""
        self.stdout.write(
            f"{output}: {result.frames} frames of {result.width}×{result.height}{with_sound}, {kilobytes:.0f} kB"
        )
        write_warnings(self, result)

    def _spec(self, options: dict[str, Any], url: str) -> CaptureSpec:
        if not 0 < options["seconds"] <= LONGEST_S:
            raise CommandError(f"--seconds: more than 0 and at most {LONGEST_S:g} are needed.")
        try:
            wish = parse(
                {
                    "piece": "page" if url else options["target"],
                    "width": options["width"],
                    "height": options["height"],
                    "duration": 1000,  # the length of a tape is bounded above, not by what strangers may ask for
                    "fps": options["fps"],
                },
                sides=SIDES,
            )
        except BadRequest as bad:
            raise CommandError(bad.message) from None
        spec = replace(wish.to_spec(), duration_ms=round(options["seconds"] * 1000))
        return replace(spec, url=url, wait_for_idle=True) if url else spec
