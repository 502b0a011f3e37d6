"""Sends the notices that wait in the database, and tries again what was not taken.

A notice is claimed before it is sent. If its sender is killed meanwhile, the claim ends and another try is made, with
the same message id: the receiver may see it twice then, and nothing is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import datetime, timedelta

from django.db.models import F, QuerySet
from django.utils import timezone

from oven.egress.client import Reply
from oven.ops.health.models import Notice
from oven.ops.health.notify import ways
from oven.ops.health.notify.ways import Message, NotSent

log = logging.getLogger(__name__)
CLAIM = timedelta(seconds=60)
DELAYS_S = (5, 15, 60, 300, 900, 3600, 3600, 3600, 3600, 3600)  # until the next try
LONGEST_RETRY_AFTER_S = 3600.0
STALE = timedelta(hours=24)  # older than this, a notice helps nobody
ONE_MAIL_IN = timedelta(minutes=30)  # for each code
KEPT = timedelta(days=30)


def send_webhooks() -> int:
    """Post what is due; returns how many were taken. Those of one code go in order, others at the same time."""
    first: dict[str, Notice] = {}
    for notice in _open(Notice.Way.WEBHOOK):
        first.setdefault(notice.code, notice)
    now = timezone.now()
    claimed = _claimed(notice for notice in first.values() if notice.due_at <= now)
    requests: list[tuple[Notice, Future[Reply]]] = [(row, ways.webhook(Message.of(row))) for row in claimed]
    return sum([_settled(notice, request) for notice, request in requests])


def _settled(notice: Notice, request: Future[Reply]) -> bool:
    try:
        ways.settled(request)
    except NotSent as problem:
        _failed([notice], problem)
        return False
    _done([notice])
    return True


def send_mail() -> int:
    """Send one mail about everything that is due; returns how many changes were in it.

    A code that was in a mail less than half an hour ago waits, and then goes with all that happened to it.
    """
    by_code: dict[str, list[Notice]] = {}
    for notice in _open(Notice.Way.MAIL):
        by_code.setdefault(notice.code, []).append(notice)
    now = timezone.now()
    due = {code for code, notices in by_code.items() if notices[0].due_at <= now} - _mailed(now)
    claimed = _claimed(notice for code in by_code if code in due for notice in by_code[code])
    if not claimed:
        return 0
    claimed.sort(key=lambda notice: notice.pk)
    try:
        ways.mail([Message.of(notice) for notice in claimed])
    except NotSent as problem:
        _failed(claimed, problem)
        return 0
    _done(claimed)
    return len(claimed)


def _mailed(now: datetime) -> set[str]:
    """Return the codes of which no mail may be sent yet."""
    sent = Notice.objects.filter(way=Notice.Way.MAIL, problem="", done_at__gt=now - ONE_MAIL_IN, done_at__lte=now)
    return set(sent.values_list("code", flat=True))


def _open(way: Notice.Way) -> QuerySet[Notice]:
    return Notice.objects.filter(way=way, done_at=None)


def _claimed(notices: Iterable[Notice]) -> list[Notice]:
    """Return those that nobody else has claimed."""
    until = timezone.now() + CLAIM
    return [
        notice
        for notice in notices
        if Notice.objects.filter(pk=notice.pk, done_at=None, due_at=notice.due_at).update(
            due_at=until, tries=F("tries") + 1
        )
    ]


def _done(notices: Iterable[Notice]) -> None:
    pks = [notice.pk for notice in notices]
    Notice.objects.filter(pk__in=pks).update(done_at=timezone.now(), problem="")


def _failed(notices: Iterable[Notice], problem: NotSent) -> None:
    now = timezone.now()
    for notice in notices:
        delay = DELAYS_S[min(notice.tries, len(DELAYS_S) - 1)]
        due = now + timedelta(seconds=max(delay, min(problem.retry_after_s, LONGEST_RETRY_AFTER_S)))
        gives_up = notice.tries + 1 > len(DELAYS_S) or due - notice.at > STALE
        Notice.objects.filter(pk=notice.pk).update(
            due_at=due, done_at=now if gives_up else None, problem=str(problem)[: ways.PROBLEM_CHARS]
        )
        end = "It is given up." if gives_up else f"Next try in {(due - now).total_seconds():.0f} s."
        log.log(logging.ERROR if gives_up else logging.WARNING, "%s was not sent: %s %s", notice, problem, end)


def prune() -> int:
    """Forget notices that were done long ago; returns how many."""
    deleted, _ = Notice.objects.filter(done_at__lt=timezone.now() - KEPT).delete()
    return deleted
