"""Pins with a caller's own keys: they are run by the process that was given the keys, and are nowhere else."""

from __future__ import annotations

import threading
import time

from django.db import connections

from captures.keeps.models import Pin
from captures.models import Grab
from oven_site.artifacts.ipfs.backends import Credentials
from oven_site.jobs.states import ACTIVE

LOOK_EVERY_S = 0.2
_keys: dict[int, Credentials] = {}


def carry(pin: Pin, keys: Credentials, limit_s: float) -> None:
    """Runs the pin in a thread of this process once its capture has ended, whoever still waits for it."""
    _keys[pin.pk] = keys
    threading.Thread(target=_run, args=(pin, time.monotonic() + limit_s), name=str(pin), daemon=True).start()


def take(pin: Pin) -> Credentials | None:
    """The keys, for the only time; None in any other process."""
    return _keys.pop(pin.pk, None)


def _run(pin: Pin, deadline: float) -> None:
    from oven_site.jobs.worker import perform_here

    try:
        while Grab.objects.filter(pk=pin.grab_id, state__in=ACTIVE).exists() and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY_S)
        perform_here(Pin.kind, pin.pk)
    finally:
        _keys.pop(pin.pk, None)
        connections.close_all()  # this thread's
