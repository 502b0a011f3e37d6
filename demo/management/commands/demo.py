import time
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from redis.exceptions import RedisError

from bakes.models import Bake
from bundles.models import Bundle
from captures.models import Grab
from demo import clearing
from demo.cast import CAST, Scene, scenes
from demo.show import Show, freeze_by_hand
from demo.site import DemoSite, NoSite, record
from oven.events import publisher
from oven.jobs.admission import QueueFull
from oven.jobs.models import DEMO
from oven.jobs.queue import workers_of

HELP = """Fills the live page of a running Oven with real jobs in every state, failures included.

    manage.py demo                 once through everything (some 26 jobs), then waits until all has ended
    manage.py demo --count 10      only so many
    manage.py demo --minutes 15    keeps the page lively for so long; Ctrl-C ends it
    manage.py demo --clear         takes all of it away again, files included

Pieces come from the demo site that `bin/oven` serves. Every row has the source "demo"."""
ANNOUNCED_AHEAD = 2  # scenes before its bake
MOST_WAITING = 12
LAST_WAIT_S = 240.0
CLEAR_WAIT_S = 30.0
PAUSE_S = 0.3
EVERY_S = 2.0


class Command(BaseCommand):
    help = HELP
    requires_system_checks: list[str] = []

    def create_parser(self, *args: Any, **kwargs: Any) -> CommandParser:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        length = parser.add_mutually_exclusive_group()
        length.add_argument("--once", action="store_true", help="once through everything (this is the default)")
        length.add_argument("--minutes", type=float, help="go on for so many minutes")
        length.add_argument("--clear", action="store_true", help="take away all that earlier demos brought")
        parser.add_argument(
            "--count", type=int, default=len(CAST), help=f"how many jobs ({len(CAST)}); not with --minutes"
        )
        parser.add_argument(
            "--every", type=float, default=EVERY_S, help=f"seconds between jobs with --minutes ({EVERY_S:g})"
        )
        parser.add_argument("--yes", action="store_true", help="also where there are other jobs than the demo's")

    def handle(self, *args: Any, **options: Any) -> None:
        self._check(options)
        try:
            if options["clear"]:
                self._clear()
            else:
                self._play(options)
        except KeyboardInterrupt:
            self.stdout.write("\nStopped. What was asked for goes on; manage.py demo --clear takes it away.")
        finally:
            publisher.flush()

    # --- may it ---

    def _check(self, options: dict[str, Any]) -> None:
        for name in ("minutes", "count", "every"):
            if options[name] is not None and options[name] <= 0:
                raise CommandError(f"--{name}: more than 0 is needed.")
        if not options["clear"]:
            self._check_workers()
            self._check_owner(options["yes"])

    def _check_workers(self) -> None:
        try:
            workers = workers_of("capture")
        except RedisError:
            workers = 0
        if not workers:
            raise CommandError(
                f"No worker answers at {settings.REDIS_URL}: start Oven with `bin/oven`, wait until it says that it "
                "is ready, then run this in a second terminal (with the same OVEN_DATA, if you set one)."
            )

    def _check_owner(self, sure: bool) -> None:
        others = [model._meta.verbose_name_plural for model in (Grab, Bake, Bundle) if _has_others(model)]
        where = settings.OVEN_PUBLIC_URL or settings.OVEN_DATA
        self.stdout.write(f"This adds jobs to the Oven at {where}; manage.py demo --clear takes them away again.")
        if others and not settings.DEBUG and not sure:
            raise CommandError(f"It has {' and '.join(map(str, others))} of its own: say --yes if you mean this one.")

    # --- what it does ---

    def _play(self, options: dict[str, Any]) -> None:
        with ExitStack() as held:
            show = Show(self._open_site(held))
            freeze_by_hand()
            if options["minutes"]:
                self._perform(show, scenes(), options["every"], time.monotonic() + options["minutes"] * 60)
            else:
                self._perform(show, islice(scenes(), options["count"]), PAUSE_S, None)
            self._wait(show)
            self.stdout.write("Done: " + _said(show))

    def _open_site(self, held: ExitStack) -> bool:
        self.stdout.write("Recording tapes of demo pieces ...")
        try:
            held.enter_context(DemoSite(record()))
        except NoSite as problem:
            self.stdout.write(f"Without bakes: {problem}.")
            return False
        return True

    def _perform(self, show: Show, coming: Iterator[Scene], pause_s: float, until: float | None) -> None:
        ahead = list(islice(coming, ANNOUNCED_AHEAD))
        for scene in ahead:
            self._announce(show, scene)
        while ahead and (until is None or time.monotonic() < until):
            for scene in islice(coming, 1):
                self._announce(show, scene)
                ahead.append(scene)
            self._ask(show, ahead.pop(0))
            self._rest(show, pause_s)
            while until and show.active() > MOST_WAITING and time.monotonic() < until:
                self._rest(show, pause_s)

    def _announce(self, show: Show, scene: Scene) -> None:
        if scene.kind == "bake":
            show.announce()

    def _ask(self, show: Show, scene: Scene) -> None:
        try:
            job = show.play(scene)
        except QueueFull:
            self.stdout.write("  the queue is full")
            return
        if job is not None:
            self.stdout.write(f"  {job}: {scene.about}")

    def _rest(self, show: Show, seconds: float) -> None:
        time.sleep(seconds)
        for name in show.change_minds():
            self.stdout.write(f"  {name}: cancelled while it runs")

    def _wait(self, show: Show) -> None:
        """The tapes are served until nobody needs them any more."""
        deadline, said = time.monotonic() + LAST_WAIT_S, ""
        while show.active() and time.monotonic() < deadline:
            if (text := _said(show)) != said:
                said = text
                self.stdout.write(f"  {text}")
            self._rest(show, PAUSE_S)

    def _clear(self) -> None:
        if left := clearing.stop(CLEAR_WAIT_S):
            self.stdout.write(f"{left} have not ended yet (is Oven running?): they stay. Run this again later.")
        tallies = clearing.clear()
        for tally in tallies:
            self.stdout.write(f"Deleted: {tally}")
        if not tallies:
            self.stdout.write("There is nothing of a demo.")


def _has_others(model: Any) -> bool:
    return bool(model.objects.exclude(source=DEMO).exists())


def _said(show: Show) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(show.states().items()))
