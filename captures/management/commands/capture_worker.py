from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from oven.jobs import worker_heartbeat
from oven.jobs.worker import WarmWorker


class Command(BaseCommand):
    help = "Runs captures, one at a time, in a warm browser. Start one per core."
    requires_system_checks: list[str] = []  # they would load every page of the site

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--burst", action="store_true", help="stop when the queues are empty")
        parser.add_argument("--lanes", default=",".join(settings.LANES), help="lanes to serve, most urgent first")
        parser.add_argument(
            "--skip-lane", metavar="LANE", choices=settings.LANES, help="serve all lanes but this one"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from captures.browser import browser_facts, close_engine, warm_up

        lanes = [lane for lane in options["lanes"].split(",") if lane != options["skip_lane"]]
        queues = [django_rq.get_queue(f"capture.{lane}") for lane in lanes]
        worker = WarmWorker(queues, connection=queues[0].connection, serializer=queues[0].serializer)
        worker_heartbeat.provide_browser(browser_facts)
        warm_up()
        try:
            worker.work(burst=options["burst"], logging_level="WARNING")
        finally:
            close_engine()
