from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from oven.jobs import registry
from oven.jobs.states import Lane
from oven.jobs.worker import WarmWorker


class Command(BaseCommand):
    help = "Runs what takes little work: housekeeping, and whatever mostly waits for others (callbacks)."
    requires_system_checks: list[str] = []  # they would load every page of the site

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--burst", action="store_true", help="stop when the queues are empty")

    def handle(self, *args: Any, **options: Any) -> None:
        beside = [kind.queue_name(lane) for kind in registry.kinds() if kind.max_concurrent for lane in Lane.values]
        names = dict.fromkeys([*beside, settings.LIGHT_QUEUE])  # kinds may share a pool
        queues = [django_rq.get_queue(name) for name in names]
        worker = WarmWorker(queues, connection=queues[0].connection, serializer=queues[0].serializer)
        worker.work(burst=options["burst"], logging_level="WARNING")
