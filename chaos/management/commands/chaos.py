import sys
from argparse import RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chaos import launch, plan

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
        if options["json"]:
            options["json"] = str(Path(options["json"]).absolute())
        sys.exit(launch.run(plan.Plan.of(options)))
