from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from oven.ops.backup import runs
from oven.ops.backup.create import take
from oven.ops.backup.manifest import BackupError

SHOWN = 20


class Command(BaseCommand):
    help = "Backs everything up into a new directory, while Oven works: database, files, secret."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, help="where to; empty, or not there yet")

    def handle(self, *args: Any, **options: Any) -> None:
        with runs.recorded(self.stderr.write):
            self._take(options["directory"].resolve())

    def _take(self, place: Path) -> None:
        try:
            made = take(place)
        except (BackupError, OSError) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"Backed up: {made.vendor} database, {made.files} files, {made.bytes >> 20} MB.")
        for name in made.elsewhere:
            self.stdout.write(
                f"Not copied: the {name} store, a bucket. Let it keep versions, or copy it by its own means."
            )
        if made.problems:
            shown = "\n  ".join(made.problems[:SHOWN])
            raise CommandError(f"{len(made.problems)} files are not as their rows say:\n  {shown}")
