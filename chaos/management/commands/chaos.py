import sys
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chaos import launch, plan
from chaos.faults import FAULTS

USAGE = 2

HELP = """Breaks a scratch Oven while it works, and looks after every round whether anything was lost.

    manage.py chaos --minutes 10                   all faults in turn
    manage.py chaos --faults kill --kills 1000     until so many processes have been killed
    manage.py chaos --faults flush,full --rounds 4
    manage.py chaos --postgres --faults restart    on a PostgreSQL of its own

The scratch Oven has a temporary directory, free ports and settings of its own: neither `.env` nor the environment nor
any data of this installation is used. Needs what Oven needs, and all of the machine. The exit code is 1 when an
invariant did not hold; the scratch directory is kept then."""


class Command(BaseCommand):
    help = HELP
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        plan.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("json", "database"):
            if options[name]:
                options[name] = str(Path(options[name]).absolute())
        chosen = plan.Plan.of(options)
        if unknown := [name for name in chosen.faults if name not in FAULTS]:
            raise CommandError(f"--faults: {unknown[0]!r} is not one of {', '.join(FAULTS)}", returncode=USAGE)
        if chosen.database and not Path(chosen.database).is_file():
            raise CommandError(f"--database: {chosen.database!r} is not a file", returncode=USAGE)
        if chosen.database and chosen.postgres:
            raise CommandError("--database: a SQLite file is of no use with --postgres", returncode=USAGE)
        sys.exit(launch.run(chosen))
