import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from redis.exceptions import RedisError

from oven import redis
from oven.ops.health import system_status
from oven.ops.health.alerts import Alert
from oven.ops.health.models import Notice, RaisedAlert
from oven.ops.health.notify import ways

SHOWN = 20
WAYS = ("OVEN_ALERT_WEBHOOK", "OVEN_ALERT_MAIL_TO", "OVEN_PING_URL")


class Command(BaseCommand):
    help = "Lists the alerts; the exit code is 1 when there is a bad one. --test sends a test to who is notified."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--test", action="store_true", help="send a test in every configured way; exit code 1 when one fails"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            failed = self._test() if options["test"] else self._list()
        except DatabaseError as error:
            raise CommandError(f"The database does not answer: {error}", returncode=2) from None
        if failed:
            sys.exit(1)

    def _test(self) -> bool:
        """Return whether one way failed, or none is configured."""
        results = list(ways.try_all())
        if not results:
            self.stderr.write(f"Nobody is notified: none of {', '.join(WAYS)} is set.")
        for setting, problem in results:
            self.stdout.write(f"{setting}: {problem or 'sent.'}")
        return not results or any(problem for _, problem in results)

    def _list(self) -> bool:
        """Return whether there is a bad alert."""
        alerts: list[Alert] = system_status.current()["alerts"]
        since = dict(RaisedAlert.objects.values_list("code", "raised_at"))
        for alert in alerts:
            raised = since.get(alert["code"])
            when = f" Since {raised:%Y-%m-%d %H:%M} UTC." if raised else ""
            self.stdout.write(f"{alert['level']:4}  {alert['code']}  {alert['text']}{when}")
        if not alerts:
            self.stdout.write("There are no alerts.")
        self._warn()
        return any(alert["level"] == "bad" for alert in alerts)

    def _warn(self) -> None:
        """Say what keeps people from being notified."""
        try:
            silent = not redis.client().exists(system_status.KEY)
        except RedisError:
            silent = True
        if silent:
            self.stderr.write("The scheduler is silent: nobody is notified of alerts while it does not run.")
        if not any(getattr(settings, name) for name in WAYS):
            self.stderr.write(f"Nobody is notified of alerts: none of {', '.join(WAYS)} is set.")
        for notice in Notice.objects.exclude(problem="").order_by("-id")[:SHOWN]:
            state = "given up" if notice.done_at else "will be tried again"
            self.stderr.write(f"Not sent ({state}): {notice} of {notice.at:%Y-%m-%d %H:%M} UTC: {notice.problem}")
