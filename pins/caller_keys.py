"""Pins with a caller's own keys: they are run by the process that was given the keys, and are nowhere else."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple

from django.db import connections

from captures.models import Grab
from oven.jobs.states import ACTIVE
from pins.ipfs.backends import Credentials
from pins.models import Pin

LOOK_EVERY_S = 0.2


class Held(NamedTuple):
    """A caller's keys, and until when (by the monotonic clock) to try again with them."""

    keys: Credentials
    until: float


_held: dict[int, Held] = {}


def carry(pin: Pin, held: Held, limit_s: float) -> None:
    """Runs the pin in a thread of this process once its capture has ended, whoever still waits for it."""
    _held[pin.pk] = held
    threading.Thread(target=_run, args=(pin, time.monotonic() + limit_s), name=str(pin), daemon=True).start()


def take(pin: Pin) -> Held | None:
    """The keys, for the only time; None in any other process."""
    return _held.pop(pin.pk, None)


def _run(pin: Pin, deadline: float) -> None:
    from oven.jobs.worker import perform_here

    try:
        while Grab.objects.filter(pk=pin.grab_id, state__in=ACTIVE).exists() and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        perform_here(Pin.kind, pin.pk)
    finally:
        _held.pop(pin.pk, None)
        connections.close_all()  # this thread's
