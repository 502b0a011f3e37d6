"""Ways to drive a page's time, best first: see `captures.engine.spec.Mode`."""

from __future__ import annotations

from captures.engine.pace.base import Pacer
from captures.engine.pace.injected import InjectedPacer, PlainPacer
from captures.engine.pace.realtime import RealtimePacer, StillPacer
from captures.engine.pace.virtual import VirtualPacer
from captures.engine.spec import Mode

PACERS: dict[Mode, type[Pacer]] = {
    Mode.VIRTUAL: VirtualPacer,
    Mode.INJECTED: InjectedPacer,
    Mode.PLAIN: PlainPacer,
    Mode.REALTIME: RealtimePacer,
    Mode.STILL: StillPacer,
}

__all__ = ["PACERS", "Pacer"]
