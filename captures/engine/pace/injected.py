"""Modes `injected` and `plain`: our own clock in the page. For pages that spin on the clock, and where Chromium
cannot be told when to draw."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, ClassVar

from captures.engine.errors import StepTimeout
from captures.engine.pace.base import BeginFrameMixin, Pacer, navigate
from captures.engine.spec import Mode

CLOCK_JS = (Path(__file__).parent / "clock.js").read_text()
PUMP_S = 1 / 60
FIRST_TRIES = 20


class _ClockPacer(Pacer):
    """Real time while loading; once held, time moves only by `__ovenClock.advance`."""

    _started = 0.0
    _last: bytes | None = None
    _reached_ms = 0.0

    async def goto(self) -> None:
        await self.tab.send("Page.addScriptToEvaluateOnNewDocument", source=CLOCK_JS)
        await navigate(self.tab)
        self._started = time.monotonic()

    async def live(self, ms: float, shot: dict[str, Any] | None = None) -> tuple[float, bytes | None]:
        end = time.monotonic() + ms / 1000
        while time.monotonic() < end:
            await self._pump()
        picture = await self.picture(**shot) if shot else None
        return (time.monotonic() - self._started) * 1000, picture

    async def hold(self) -> None:
        await self.tab.evaluate("__ovenClock.hold()")

    async def frame(self, index: int) -> bytes:
        if index:
            target = round(index * 1000 / self.spec.fps, 1)
            tick = 1000 / max(self.spec.tick_hz, self.spec.fps)
            await self.tab.evaluate(f"__ovenClock.advance({target - self._reached_ms:.3f}, {tick:.4f})", wait=True)
            self._reached_ms = target
        for _ in range(FIRST_TRIES):  # on a busy machine the first picture may come late
            self._last = await self.picture(**self.spec.shot) or self._last
            if self._last is not None:
                return self._last
            await asyncio.sleep(PUMP_S)
        raise StepTimeout("The page drew nothing when asked for its first frame.")

    async def _pump(self) -> None:
        await asyncio.sleep(PUMP_S)


class InjectedPacer(BeginFrameMixin, _ClockPacer):
    mode: ClassVar[Mode] = Mode.INJECTED
    begin_frame: ClassVar[bool] = True

    async def picture(self, **shot: object) -> bytes | None:
        return await self.begin_frame_call(shot, interval=PUMP_S * 1000)

    async def _pump(self) -> None:
        await self.begin_frame_call(None, interval=PUMP_S * 1000)
        await asyncio.sleep(PUMP_S / 2)


class PlainPacer(_ClockPacer):
    mode: ClassVar[Mode] = Mode.PLAIN
    begin_frame: ClassVar[bool] = False

    async def picture(self, **shot: object) -> bytes | None:
        return await self.tab.screenshot(**shot)
