import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from bakes.engine.bake import bake
from bakes.engine.errors import BakeError
from bakes.engine.spec import BakeResult, BakeSpec, Progress
from bakes.runner import limits


class Command(BaseCommand):
    help = "Bakes a tape (a ZIP of frames, times and sound) into an MP4: no server, no queue, no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tape", type=Path, help="the ZIP")
        parser.add_argument("-o", "--output", type=Path, required=True, help="the MP4 to write")
        parser.add_argument("--thumbnail", type=Path, help="where to put the thumbnail (a JPEG)")
        parser.add_argument("--enlarge", type=int, choices=[1, 2, 3, 4], default=3, help="whole factor (3)")
        parser.add_argument("--max-seconds", type=float, help="longest video (OVEN_TAPE_MAX_S)")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, **options: Any) -> None:
        tape, output = options["tape"], options["output"]
        if not tape.is_file():
            raise CommandError(f"{tape}: there is no such file.")
        allowed = limits()
        if options["max_seconds"]:
            allowed = replace(allowed, video_s=options["max_seconds"])
        spec = BakeSpec(tape=tape, limits=allowed, enlarge=options["enlarge"])
        with tempfile.TemporaryDirectory(prefix="oven-bake-") as scratch:
            result = self._bake(spec, Path(scratch), options["quiet"])
            output.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(result.video, output)
            if options["thumbnail"] and result.thumbnail:
                shutil.move(result.thumbnail, options["thumbnail"])
        self.stdout.write(_summary(output, result))
        for note in result.notes:
            self.stdout.write(f"  {note}")

    def _bake(self, spec: BakeSpec, scratch: Path, quiet: bool) -> BakeResult:
        with tqdm(
            total=100, unit="%", disable=quiet or None, bar_format="{desc:<34} {bar} {n:3.0f} % {remaining}"
        ) as bar:

            def report(progress: Progress) -> None:
                bar.set_description_str(progress.detail or progress.stage, refresh=False)
                bar.update(max(0, progress.percent - bar.n))

            try:
                return bake(spec, scratch, report)
            except KeyboardInterrupt:
                raise CommandError("Stopped.") from None
            except BakeError as error:
                raise CommandError(f"{error.message} ({error.code})") from None


def _summary(output: Path, result: BakeResult) -> str:
    sound = ", with sound" if result.sound else ""
    return (
        f"{output}: {result.width}×{result.height}, {result.frames} frame{'s' * (result.frames != 1)}, "
        f"{result.duration_ms / 1000:.3f} s{sound}, {result.size / 1024:.0f} kB"
    )
