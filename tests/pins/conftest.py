from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oven.jobs import worker
from oven.jobs.reconcile import sweep
from pins.models import Pin
from tests.pinning_server import PinningServer
from tests.support import finished, rested, until


@pytest.fixture
def service(settings: Any) -> Iterator[PinningServer]:
    """Pinata, with credentials of our own, as the back-end of this Oven."""
    with PinningServer() as server:
        settings.OVEN_PINNING = "pinata"
        settings.OVEN_PINATA_URL = settings.OVEN_KUBO_URL = server.origin
        settings.OVEN_PINATA_JWT = "jwt-5e2d"
        settings.OVEN_PIN_DELAYS_S = [0.1, 0.1, 0.1]
        settings.OVEN_PIN_LIMIT_S = 5.0
        yield server


@pytest.fixture
def done(grab: Any, tmp_path: Path) -> Callable[..., Any]:
    """Finished grabs: `done(piece="$roz", format="png")`."""
    return lambda **fields: finished(grab(**{"format": "png", **fields}), tmp_path)


@pytest.fixture
def ended() -> Callable[[Pin], Pin]:
    """Works like the light worker and the scheduler until a pin has ended."""

    def work(pin: Pin) -> Pin:
        def through() -> Pin | None:
            sweep()
            pin.refresh_from_db()
            if pin.active:
                worker.perform("pin", pin.pk)
                return None
            return pin

        until(through, 15, every_s=0.05)
        until(lambda: rested("pin"), 15)
        return pin

    return work


@pytest.fixture
def ended_here() -> Callable[[Pin], Pin]:
    """Run the attempts of a pin in this thread, so in the transaction of the test, until it has ended."""

    def work(pin: Pin) -> Pin:
        for _ in range(5):
            worker.perform_here("pin", pin.pk)
            pin.refresh_from_db()
            if not pin.active:
                return pin
        raise AssertionError(f"{pin} is {pin.state}")

    return work
