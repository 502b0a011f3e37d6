from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from oven.ops.backup.manifest import BackupError
from oven.ops.backup.restore import restore

SHOWN = 20


class Command(BaseCommand):
    help = "Restores a backup into OVEN_DATA (and DATABASE_URL), which must be empty. Oven must not run there."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, help="what `manage.py backup` has made")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = restore(options["directory"].resolve())
        except (BackupError, OSError) as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"Restored into {settings.OVEN_DATA}: the backup of {found.taken_at}, {found.files} files.")
        for name in found.elsewhere:
            self.stdout.write(f"Not in it: the {name} store, a bucket. The same one must be configured here.")
        if found.problems:
            shown = "\n  ".join(found.problems[:SHOWN])
            raise CommandError(f"Restored, but {len(found.problems)} files are not as their rows say:\n  {shown}")
