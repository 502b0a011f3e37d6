from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from oven.jobs.worker import ForkWorker


class Command(BaseCommand):
    help = "Runs bakes, one at a time, each in a process of its own. As many run at once as are started."
    requires_system_checks: list[str] = []  # they would load every page of the site

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--burst", action="store_true", help="stop when the queues are empty")
        parser.add_argument("--lanes", default=",".join(settings.LANES), help="lanes to serve, most urgent first")

    def handle(self, *args: Any, **options: Any) -> None:
        import bakes.engine.bake  # noqa: F401 - once here instead of in every fork

        queues = [django_rq.get_queue(f"bake.{lane}") for lane in options["lanes"].split(",")]
        worker = ForkWorker(queues, connection=queues[0].connection)
        worker.work(burst=options["burst"], logging_level="WARNING")
