from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from bundles import process_engine
from oven.jobs.worker import WarmWorker


class Command(BaseCommand):
    help = "Packs runtimes and bundles pieces, one at a time, with a warm Node process."
    requires_system_checks: list[str] = []  # they would load every page of the site

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--burst", action="store_true", help="stop when the queues are empty")
        parser.add_argument("--lanes", default=",".join(settings.LANES), help="lanes to serve, most urgent first")

    def handle(self, *args: Any, **options: Any) -> None:
        queues = [django_rq.get_queue(f"bundle.{lane}") for lane in options["lanes"].split(",")]
        worker = WarmWorker(queues, connection=queues[0].connection, serializer=queues[0].serializer)
        try:
            worker.work(burst=options["burst"], logging_level="WARNING")
        finally:
            process_engine.close_engine()
