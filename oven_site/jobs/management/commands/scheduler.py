import signal
import threading
import time
from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections
from redis.exceptions import RedisError

from oven_site.jobs.sweep import sweep

HOUSEKEEPING_EVERY_S = 600


class Command(BaseCommand):
    help = "Keeps the queue true to the database (the sweep), and starts the housekeeping. One per installation."
    requires_system_checks: list[str] = []  # they would load every page of the site

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="sweep once and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(str(sweep()))
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        housekept = 0.0
        while not stop.wait(settings.OVEN_SWEEP_S):
            housekept = self._round(housekept)

    def _round(self, housekept: float) -> float:
        close_old_connections()
        try:
            sweep()
            if time.monotonic() - housekept > HOUSEKEEPING_EVERY_S or not housekept:
                queue = django_rq.get_queue(settings.LIGHT_QUEUE)
                queue.enqueue_call(
                    "oven_site.jobs.housekeeping.run", job_id="housekeep", result_ttl=0, failure_ttl=3600
                )
                return time.monotonic()
        except (DatabaseError, RedisError) as error:
            self.stderr.write(f"sweep failed, will try again: {error}")
        return housekept
