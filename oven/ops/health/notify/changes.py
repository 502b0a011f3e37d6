"""Which alerts are new and which are over: each is sent once, also when the scheduler restarts or Redis is wiped."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from oven.events import stream
from oven.ops.health.alerts import Alert
from oven.ops.health.models import Notice, RaisedAlert
from oven.ops.health.notify import ways

TEXT_CHARS = 500
OVER_S = 30.0  # an alert that was not seen for so long is over
GATHER = timedelta(seconds=10)  # what changes within it goes into one mail


class Changes:
    """Compares what is seen now with the rows of what was raised. `clock` is monotonic.

    The rows decide: whichever process changes one sends it, so that two schedulers do not send it twice.
    They are read once, as looks are frequent.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._loud_at = clock() + settings.OVEN_ALERT_QUIET_S
        self._rows: dict[str, RaisedAlert] | None = None
        self._seen: dict[str, float] = {}

    def note(self, alerts: Iterable[Alert]) -> list[str]:
        """Take a look's alerts; returns the texts of those raised that are bad. Raises DatabaseError."""
        now = self._clock()
        if self._rows is None:
            self._rows = {row.code: row for row in RaisedAlert.objects.all()}
            self._seen = dict.fromkeys(self._rows, now)
        for alert in sorted(alerts, key=lambda alert: alert["level"], reverse=True):  # of one code the bad one counts
            self._seen[alert["code"]] = now
            self._take(self._rows, alert)
        if now >= self._loud_at:
            self._end(self._rows, now)
            self._announce([row for code, row in self._rows.items() if self._seen[code] == now])
        return [row.text for row in self._rows.values() if row.level == "bad"]

    def _take(self, rows: dict[str, RaisedAlert], alert: Alert) -> None:
        row, text = rows.get(alert["code"]), alert["text"][:TEXT_CHARS]
        if row is None:
            fields = {"level": alert["level"], "text": text}
            row, created = RaisedAlert.objects.get_or_create(code=alert["code"], defaults=fields)
            rows[alert["code"]] = row
            if created:
                _log(alert)
        if alert["level"] == "bad" and row.level != "bad":
            worse = RaisedAlert.objects.filter(pk=row.pk).exclude(level="bad")
            if worse.update(level="bad", text=text, announced=False):
                _log(alert)
            row.level, row.announced = "bad", False
        row.text = text

    def _announce(self, rows: list[RaisedAlert]) -> None:
        for row in rows:
            if row.announced or not ways.configured():
                continue
            with transaction.atomic():
                if RaisedAlert.objects.filter(pk=row.pk, announced=False).update(announced=True):
                    _put_out(row, Notice.Change.RAISED)
            row.announced = True

    def _end(self, rows: dict[str, RaisedAlert], now: float) -> None:
        for code in [code for code in rows if now - self._seen[code] > OVER_S]:
            row = rows[code]
            with transaction.atomic():
                deleted, _ = RaisedAlert.objects.filter(pk=row.pk).delete()
                if deleted and row.announced:
                    _put_out(row, Notice.Change.OVER)
            if deleted:
                stream.log("success", f"Over: {row.text}")
            del rows[code]


def _log(alert: Alert) -> None:
    stream.log("error" if alert["level"] == "bad" else "warn", alert["text"])


def _put_out(row: RaisedAlert, change: Notice.Change) -> None:
    """Leave a notice for each way that is configured."""
    now = timezone.now()
    for way in ways.configured():
        Notice.objects.create(
            way=way,
            code=row.code,
            level=row.level,
            change=change,
            text=row.text,
            message_id=f"msg_{secrets.token_hex(12)}",
            at=now,
            due_at=now + GATHER if way == Notice.Way.MAIL else now,
        )
