"""Mode `virtual`: Chromium's own virtual time, and a BeginFrame for every tick. Exact, and nothing is injected."""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar

from captures.engine.errors import StepTimeout
from captures.engine.pace.base import BeginFrameMixin, Pacer, navigate
from captures.engine.spec import Mode
from captures.engine.tab import Tab

# `performance.now()` is clamped to 0.1 ms with a random dither, except on the grid itself. Every moment we stop at
# is on that grid in absolute ticks, so that frame times are the same in every run.
GRID_US = 100
STARVATION = 1000  # tasks without the clock moving before Chromium moves it all the same
PROBE_LIMIT_S = 1.5
WORKER_LIMIT_S = 2.0


class VirtualPacer(BeginFrameMixin, Pacer):
    mode: ClassVar[Mode] = Mode.VIRTUAL
    begin_frame: ClassVar[bool] = True

    def __init__(self, tab: Tab) -> None:
        super().__init__(tab)
        self._base_us = 0  # ticks at virtual zero
        self._now_us = 0  # virtual time since then
        self._held_us = 0
        self._skew_us = 0
        self._last: bytes | None = None
        self._wait_for_network = True
        self._expired: asyncio.Event = asyncio.Event()
        tab.cdp.on("Emulation.virtualTimeBudgetExpired", lambda _: self._expired.set())

    async def goto(self) -> None:
        answer = await self.tab.send("Emulation.setVirtualTimePolicy", policy="pause", initialVirtualTime=time.time())
        self._base_us = round(answer["virtualTimeTicksBase"] * 1000)
        self._skew_us = -self._base_us % GRID_US
        await navigate(self.tab)
        self._now_us = 0

    async def live(self, ms: float) -> float:
        await self._pass(ms)
        await self._tick(ms)
        return self._now_us / 1000

    async def live_and_ask(self, ms: float, expression: str) -> tuple[float, Any]:
        await self._pass(ms)
        _, answer = await asyncio.gather(self._tick(ms), self.tab.evaluate(expression))
        return self._now_us / 1000, answer

    async def _pass(self, ms: float) -> None:
        target = self._now_us + self._grid(ms * 1000)
        if self._now_us == 0:
            target += self._skew_us
        policy = "pauseIfNetworkFetchesPending" if self._wait_for_network else "advance"
        await self._advance(target, policy)

    async def hold(self) -> None:
        self._held_us = self._now_us

    async def frame(self, index: int) -> bytes:
        interval_us = 1e6 / self.spec.fps
        target = self._held_us + self._grid(index * interval_us)
        if index:
            await self._travel(target, interval_us)
        shot = await self._tick(interval_us / 1000, self.spec.shot)
        self._last = shot or self._last
        if self._last is None:
            raise StepTimeout("The page drew nothing when asked for its first frame.")
        return self._last

    async def picture(self, **shot: object) -> bytes | None:
        await self._advance(self._now_us + GRID_US, "advance")
        return await self._tick(GRID_US / 1000, shot)

    async def _travel(self, target_us: int, interval_us: float) -> None:
        """To the next frame, with the animation callbacks that a screen would have had on the way."""
        start = self._now_us
        ticks = max(1, round(interval_us * self.spec.tick_hz / 1e6))
        for tick in range(1, ticks):
            await self._advance(start + self._grid((target_us - start) * tick / ticks), "advance")
            await self._tick(interval_us / ticks / 1000, quiet=True)
        await self._advance(target_us, "advance")
        if self.tab.workers:
            await self._let_workers_draw(interval_us / ticks / 1000)

    async def _let_workers_draw(self, interval_ms: float) -> None:
        """A worker answers a BeginFrame with a picture that only the next one can show: wait for it in between."""
        await self._tick(interval_ms)
        for worker in list(self.tab.workers.values()):
            answer = worker.send("Runtime.evaluate", {"expression": "0"})
            await self.tab.race(answer, WORKER_LIMIT_S, "drawing in a worker")
        await self._advance(self._now_us + GRID_US, "advance")

    async def _tick(
        self, interval_ms: float, shot: dict[str, Any] | None = None, quiet: bool = False
    ) -> bytes | None:
        ticks = (self._base_us + self._now_us) / 1000
        return await self.begin_frame_call(shot, frameTimeTicks=ticks, interval=interval_ms, noDisplayUpdates=quiet)

    async def _advance(self, target_us: int, policy: str) -> None:
        budget_us = target_us - self._now_us
        if budget_us <= 0:
            return
        self._expired.clear()
        # Chromium truncates the budget to whole microseconds: stay just above.
        await self._set_policy(policy, budget_us / 1000 + 1e-6)
        await self._wait_expired(policy)
        self._now_us = target_us

    async def _set_policy(self, policy: str, budget_ms: float) -> None:
        await self.tab.send(
            "Emulation.setVirtualTimePolicy",
            policy=policy,
            budget=budget_ms,
            maxVirtualTimeTaskStarvationCount=STARVATION,
        )

    async def _wait_expired(self, policy: str) -> None:
        wait, limit = self._expired.wait, self.spec.step_limit_s
        if policy == "advance":
            await self.tab.race(wait(), limit, "running")
            return
        try:
            await self.tab.race(wait(), self.spec.network_limit_s, "loading")
        except StepTimeout:
            await self._tell_stuck_from_slow()

    async def _tell_stuck_from_slow(self) -> None:
        """Loading stands still: either a request never answers (go on without it) or a script runs for ever."""
        try:
            await self.tab.evaluate("1", PROBE_LIMIT_S)
        except StepTimeout:
            await self.tab.race(self._expired.wait(), self.spec.step_limit_s, "running its scripts")
            return
        if self._expired.is_set():
            return
        self._wait_for_network = False
        await self._set_policy("advance", 50.0)
        await self.tab.race(self._expired.wait(), self.spec.step_limit_s, "running")

    @staticmethod
    def _grid(us: float) -> int:
        return round(us / GRID_US) * GRID_US
