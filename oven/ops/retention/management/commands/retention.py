from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from oven.ops.retention import deletion, files, orphans
from oven.ops.retention.batches import Batch
from oven.ops.retention.models import Leftover
from oven.ops.retention.references import Going
from oven.ops.retention.report import Tally, limits, lines
from oven.ops.retention.targets import subjects
from oven.storage.models import Artifact

HELP = """Deletes the history and the files that are over the limits of the retention rules (see the admin), now.

    manage.py retention --dry-run           what would go, in numbers
    manage.py retention --dry-run --list    every row and every file by its name
    manage.py retention --kind grab         deletes; of one kind only
    manage.py retention --orphans           files older than a day that no row names: what would go
    manage.py retention --orphans --delete  deletes them

Oven does the same by itself, a little at a time. What is active, or what something refers to, stays."""


class Command(BaseCommand):
    help = HELP
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")
        parser.add_argument("--list", action="store_true", help="name every row and every file")
        parser.add_argument("--kind", action="append", default=[], help="only this kind; may be repeated")
        parser.add_argument("--orphans", action="store_true", help="files that no row names; a dry run")
        parser.add_argument("--delete", action="store_true", help="with --orphans: delete them")
        parser.add_argument("--store", choices=orphans.STORES, help="with --orphans: only of this store")
        parser.add_argument("--under", default="", help="with --orphans: only below this prefix")

    def handle(self, *args: Any, **options: Any) -> None:
        self.names = options["list"]
        if options["orphans"]:
            self._orphans(options)
            return
        if options["delete"] or options["store"] or options["under"]:
            raise CommandError("--delete, --store and --under belong to --orphans.")
        known = [subject.name for subject in subjects()]
        if unknown := set(options["kind"]) - set(known):
            raise CommandError(f"--kind: {min(unknown)} is not one of {', '.join(known)}.")
        self._rules(options["kind"], options["dry_run"])

    def _rules(self, kinds: list[str], dry: bool) -> None:
        self.stdout.write("Would delete:" if dry else "Deleted:")
        self._left_over(deletion.leftovers() if dry else deletion.resume())
        gone: Going = {}
        for task in deletion.tasks(kinds):
            batches = deletion.dry(task, gone) if dry else (batch for batch, _ in deletion.wet(task))
            tally = self._sum(Tally(task.subject.name), batches)
            self.stdout.write(f"{tally} ({limits(task.rule)})")

    def _sum(self, tally: Tally, batches: Iterable[Batch]) -> Tally:
        for batch in batches:
            tally.add(batch)
            if self.names:
                for line in lines(batch):
                    self.stdout.write(line)
        return tally

    def _left_over(self, found: list[Leftover]) -> None:
        """Nothing is said when there is nothing, as nearly always."""
        tally = Tally("left by a run that was interrupted")
        tally.add_files(found)
        if tally.files:
            self.stdout.write(str(tally))

    def _orphans(self, options: dict[str, Any]) -> None:
        delete = options["delete"] and not options["dry_run"]
        self.stdout.write("Deleted:" if delete else "Would delete (--delete does it):")
        for store in [options["store"]] if options["store"] else orphans.STORES:
            tally = Tally(f"{store}, named by no row")
            for file in self._nobodys(store, options["under"]):
                if delete and not self._gone(file):
                    self.stderr.write(f"  {file.key}: the store does not delete it")
                    continue
                tally.files += 1
                tally.bytes += file.bytes or 0
                if self.names:
                    self.stdout.write(f"  file {store}/{file.key}")
            self.stdout.write(str(tally) if tally.files else f"{tally.label}: nothing")

    def _nobodys(self, store: str, under: str) -> Iterator[Artifact | Leftover]:
        yield from orphans.unpublished(orphans.YOUNG, store=store, key__startswith=under)
        yield from orphans.find(store, under)

    def _gone(self, file: Artifact | Leftover) -> bool:
        return orphans.drop(file) if isinstance(file, Artifact) else bool(files.drop([file]))
