import signal
import threading
import time
from typing import Any

import django_rq
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections
from redis.exceptions import RedisError

from oven.jobs.reconcile import sweep
from oven.ops.health.monitor import Watch
from oven.ops.health.notify import senders

HOUSEKEEP_EVERY_S = 600.0


def periodic_calls() -> dict[str, float]:
    """Return what the light worker is asked for, with the seconds between two calls."""
    return {
        "oven.jobs.cleanup.run_periodic": settings.OVEN_PERIODIC_INTERVAL_S,
        "oven.jobs.cleanup.run": HOUSEKEEP_EVERY_S,
    }


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
        watch = Watch()
        threading.Thread(target=watch.run, args=(stop,), name="watch", daemon=True).start()
        senders.start(stop, watch.looks)
        due = dict.fromkeys(periodic_calls(), 0.0)
        while not stop.wait(settings.OVEN_SWEEP_S):
            self._round(due)

    def _round(self, due: dict[str, float]) -> None:
        """`due`: when each regular call is due again (monotonic)."""
        close_old_connections()
        try:
            sweep()
            queue = django_rq.get_queue(settings.LIGHT_QUEUE)
            for call, every_s in periodic_calls().items():
                if time.monotonic() >= due[call]:
                    name = call.rsplit(".", 1)[1]
                    queue.enqueue_call(call, job_id=name, result_ttl=0, failure_ttl=3600)
                    due[call] = time.monotonic() + every_s
        except (DatabaseError, RedisError) as error:
            self.stderr.write(f"sweep failed, will try again: {error}")
