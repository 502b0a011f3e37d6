"""Failures that anonymous callers are answered with for a while, instead of the same capture failing again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from captures.engine.errors import ErrorCode
from captures.models import Grab
from captures.requests import GrabRequest
from oven.jobs.admission import NotAdmitted
from oven.jobs.states import State

OF_PIECE = {ErrorCode.HUNG, ErrorCode.HTTP_STATUS, ErrorCode.REDIRECTS, ErrorCode.UNREACHABLE}  # in whatever size
OF_CAPTURE = {ErrorCode.TIMEOUT, ErrorCode.MEMORY, ErrorCode.CRASHED, ErrorCode.PROCESSES, ErrorCode.REQUESTS}
OF_CAPTURE |= {ErrorCode.BLANK, ErrorCode.NO_ELEMENT, ErrorCode.BAD_SPEC, ErrorCode.REFUSED}
LOOK_BACK = 20  # of the piece's newest captures


class JustFailed(NotAdmitted):
    """The same capture has failed a moment ago."""

    status = 500

    def __init__(self, grab: Grab, retry_after_s: int) -> None:
        super().__init__(grab.error_message, retry_after_s)
        self.facts = {"grabId": grab.public_id, "code": grab.error_code}


def check(wish: GrabRequest) -> None:
    """Raise JustFailed while the last failure counts: for a minute at first, twice as long with each in a row."""
    now, longest = timezone.now(), timedelta(seconds=settings.OVEN_FAILURE_CACHE_MAX_S)
    ended = Grab.objects.filter(
        piece=wish.piece, state__in=(State.FAILED, State.COMPLETE), ended_at__gt=now - longest
    )
    failed = _in_a_row(ended.order_by("-created_at", "-id")[:LOOK_BACK], wish.capture_key)
    if not failed or failed[0].ended_at is None:
        return
    held_s = min(settings.OVEN_FAILURE_CACHE_S * 2 ** (len(failed) - 1), settings.OVEN_FAILURE_CACHE_MAX_S)
    left_s = held_s - (now - failed[0].ended_at).total_seconds()
    if left_s > 0:
        raise JustFailed(failed[0], math.ceil(left_s))


def _in_a_row(newest: Iterable[Grab], capture_key: str) -> list[Grab]:
    """Return the failures that a capture would repeat, the newest first, since it (or the piece) last worked."""
    failed, works = [], False
    for grab in newest:
        same = grab.capture_key == capture_key
        if grab.state == State.COMPLETE:
            works = True
            if same:
                break
        elif (same and grab.error_code in OF_CAPTURE) or (not works and grab.error_code in OF_PIECE):
            failed.append(grab)
    return failed
