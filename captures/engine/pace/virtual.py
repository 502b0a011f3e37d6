"""Mode `virtual`: Chromium's own virtual time, and a BeginFrame for every tick. Only the time of audio is injected.

One budget of virtual time is open at a time, and every budget has one expiry. A request that is given up while a
budget is open changes only its policy: a second budget would end the next step at once, and from then on the page's
clock would run at half speed. Every frame is checked against the clock that the page reads.
"""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import Any, ClassVar

from captures.engine.cdp import CdpError, Session
from captures.engine.errors import CaptureError, ErrorCode, StepTimeout
from captures.engine.pace.base import BeginFrameMixin, Pacer, navigate
from captures.engine.spec import CaptureSpec, CaptureWarning, Mode, WarningCode
from captures.engine.tab import Tab, look_away

# `performance.now()` is clamped to 0.1 ms with a random dither, except on the grid itself. The time origin and every
# moment at which we stop are on that grid in absolute ticks, so that the page reads the same times in every run.
GRID_US = 100
TRUNCATED_US = 0.2
STARVATION = 1000  # tasks without the clock moving before Chromium moves it all the same
LOOK_S = 0.1  # between two looks at a step that has not ended
HELD_S = 0.05  # for so long the clock must have stood before a budget goes on without the network: it may just end
UNKNOWN_S = 0.5  # a clock that stands for so long, with a page that answers, is held by a request of no event
PROBE_AFTER_S = 1.0
WORKER_LIMIT_S = 0.5  # of real time, for a worker to run what is due; one that is busy for longer is not asked again
CLOCK_TOLERANCE_MS = 1.0
CLOCK = "performance.timeOrigin + performance.now()"
# The same, after all messages that were sent before: DevTools' own overtake them.
CLOCK_AFTER_MESSAGES = f"""new Promise((resolve) => {{
  const {{ port1, port2 }} = new MessageChannel();
  port1.onmessage = () => resolve({CLOCK});
  port2.postMessage(0);
}})"""
WORLD = "oven-clock"  # an isolated world: the page cannot replace its `performance`
FIRST_CALLBACK_JS = "requestAnimationFrame(() => { globalThis.hadCallback = true })"  # in that world
PARSED, HAD_CALLBACK = "document.readyState !== 'loading'", "globalThis.hadCallback === true"
PARSED_LIMIT_S, FIRST_CALLBACK_LIMIT_S, AGAIN_S = 0.5, 2.0, 0.002
BINDING = "ovenReport"
REPORT_JS = f"const report = globalThis.{BINDING}; delete globalThis.{BINDING};"  # for the scripts, not for the page
SCRIPTS = (
    REPORT_JS,
    *((Path(__file__).parent / name).read_text() for name in ("audio.js", "threads.js", "media.js")),
)
PAGE_JS = "{" + "\n".join(SCRIPTS) + "}"
P5_JS = (Path(__file__).parent / "p5.js").read_text()
THREADS_LIMIT_S = 0.25  # of real time, for all answers that a page waits for at one of its moments
# A video is loaded and sought only while the page's time passes: microseconds are enough.
SEEK_VIDEOS = "document.dispatchEvent(new Event('oven-video-frame', { cancelable: true }))"
VIDEOS_READY = "document.dispatchEvent(new Event('oven-video-ready', { cancelable: true }))"
VIDEO_LIMIT_S = 2.0  # of real time, for all videos of a page to be loaded, or to be sought
LONGEST_LOOK_S = 0.05
PAUSE_ROUNDS = 5
MOST_LATE = 8  # moments at which they did not come, before they are not waited for any more
WAIT_FOR_NETWORK, ADVANCE = "pauseIfNetworkFetchesPending", "advance"


class VirtualPacer(BeginFrameMixin, Pacer):
    mode: ClassVar[Mode] = Mode.VIRTUAL
    begin_frame: ClassVar[bool] = True

    def __init__(self, tab: Tab) -> None:
        super().__init__(tab)
        self._base_us = 0  # Chromium's ticks at the document's time origin
        self._epoch_ms = 0.0  # Date at the time origin
        self._now_us = 0  # virtual time since the time origin
        self._held_us = 0
        self._ticked_us = -1  # the moment of the last BeginFrame
        self._expired = 0  # budgets
        self._network_holds = False  # a request of no event holds the clock: Chromium must not wait for the network
        self._last: bytes | None = None
        self._world: int | None = None
        self._unresponsive: set[str] = set()  # workers that do not answer
        self._worker_clocks: list[float] = []  # how far each was off the plan when it had run, in ms
        self._uses_threads = False  # the page waits for answers of other threads than its own and its workers'
        self._waits_for_threads = False
        self._late = 0  # moments at which an answer did not come while time stood
        self._lacks_webgpu = False
        self._hears_silence = False  # the page measures sound that it plays
        self._loads_video = self._has_video = False  # or is being sought by the page; plays
        self._late_loads = 0  # moments at which one was neither loaded nor sought in time
        self._late_videos = 0  # frames for which a video was not sought in time
        self._cannot_seek = False  # a video that plays
        self._navigations = self._navigations_seen = 0
        tab.cdp.on("Page.frameNavigated", self._frame_navigated)
        tab.cdp.on("Runtime.bindingCalled", self._binding_called)
        tab.cdp.on("Emulation.virtualTimeBudgetExpired", self._budget_expired)

    async def goto(self) -> None:
        """Put the time origin on the grid, in a whole second of Date, and navigate."""
        start = math.floor(time.time() if self.spec.date_s is None else self.spec.date_s)
        answer = await self.tab.send("Emulation.setVirtualTimePolicy", policy="pause", initialVirtualTime=start)
        self._base_us = round(answer["virtualTimeTicksBase"] * 1000)
        skew_us = -self._base_us % GRID_US
        await self._advance(skew_us, ADVANCE)
        await self.tab.send("Runtime.addBinding", name=BINDING)
        await self.tab.send("Page.addScriptToEvaluateOnNewDocument", source=PAGE_JS)
        if self.spec.tick_hz % self.spec.fps:
            source = P5_JS.replace("HZ", str(self.spec.tick_hz))
            await self.tab.send("Page.addScriptToEvaluateOnNewDocument", source=source)
        await self.tab.send("Page.addScriptToEvaluateOnNewDocument", source=FIRST_CALLBACK_JS, worldName=WORLD)
        self._base_us, self._now_us = self._base_us + skew_us, 0
        self._epoch_ms = start * 1000 + skew_us / 1000
        await navigate(self.tab)
        self._navigations_seen = max(1, self._navigations)

    async def live(self, ms: float, shot: dict[str, Any] | None = None) -> tuple[float, bytes | None]:
        """Let `ms` of the page's time pass, with animation callbacks as a screen has them. `shot` is of the last."""
        hz, target, picture = self.spec.tick_hz, self._now_us + _grid(ms * 1000), None
        number = math.floor(self._now_us * hz / 1e6 + 1e-6) + 1
        while (moment := _grid(number * 1e6 / hz)) <= target:
            await self._step(moment)
            number += 1
            last = _grid(number * 1e6 / hz) > target
            if number == 2:
                await self._until(PARSED, PARSED_LIMIT_S)
            picture = await self._tick(1000 / hz, shot if last else None, quiet=not last) or picture
            if number == 2:
                picture = await self._first_callback(1000 / hz, shot if last else None) or picture
        await self._step(target)
        return self._now_us / 1000, picture

    async def _first_callback(self, interval_ms: float, shot: dict[str, Any] | None) -> bytes | None:
        """Draw until the page has had its first animation callback.

        Chromium drops a BeginFrame that comes before the page's compositor is connected: the page would have one
        callback less than in another run.
        """
        picture, started = None, time.monotonic()
        while not await self._until(HAD_CALLBACK, 0) and time.monotonic() - started < FIRST_CALLBACK_LIMIT_S:
            await asyncio.sleep(AGAIN_S)
            picture = await self._tick(interval_ms, shot, quiet=shot is None) or picture
        return picture

    async def _until(self, condition: str, limit_s: float) -> bool:
        """Wait, while time stands, for a condition in the page's isolated world. Return whether it holds."""
        started = time.monotonic()
        while True:
            if self._world is None:
                self._world = await self._new_world()
            try:
                answer = await self.tab.send("Runtime.evaluate", expression=condition, contextId=self._world)
            except CdpError:
                self._world = None  # it has gone with its document
                return False
            if answer["result"].get("value"):
                return True
            if time.monotonic() - started >= limit_s or self.tab.network.left_open():
                return False
            await asyncio.sleep(AGAIN_S)

    async def settle_network(self) -> None:
        """Wait, while the page's time stands, until no request is waited for."""
        while self.tab.network.waited_for():
            with self.tab.network.waiting():
                await self._change()

    async def hold(self) -> None:
        if self._navigations > self._navigations_seen:
            await self._check_clock(self._ask_clock())
        if self._has_video:  # the first frame after a video was paused still shows a picture of its playing
            await self._seek_videos(self._now_us + GRID_US)
            await self._tick(1000 / self.spec.tick_hz)
            await self._seek_videos(self._now_us + _grid(1e6 / self.spec.tick_hz))
        self._held_us = self._now_us

    async def frame(self, index: int) -> bytes:
        interval_us = 1e6 / self.spec.fps
        if index:
            await self._travel(index, interval_us)
        # What a worker draws for a BeginFrame is shown by the next one. When nothing has changed, Chromium answers a
        # second one of the same moment only if it has a screenshot.
        if self.tab.workers and self._ticked_us != self._now_us:
            await self._tick(1000 / self.spec.tick_hz)
        if self.tab.workers:
            await self._let_workers_run()
        asked = self._ask_clock()
        shot = await self._tick(1000 / self.spec.tick_hz, self.spec.shot)
        await self._check_clock(asked)
        self._last = shot or self._last
        if self._last is None:
            raise StepTimeout("The page drew nothing when asked for its first frame.")
        return self._last

    async def picture(self, **shot: object) -> bytes | None:
        await self._advance(self._now_us + GRID_US, ADVANCE)
        return await self._tick(GRID_US / 1000, shot)

    async def _travel(self, index: int, interval_us: float) -> None:
        """Go to a frame's moment, with the animation callbacks that a screen has on the way."""
        start, end = (self._held_us + _grid(number * interval_us) for number in (index - 1, index))
        callbacks = _callbacks(index, self.spec) - _callbacks(index - 1, self.spec)
        for number in range(1, callbacks):
            await self._step(start + _grid((end - start) * number / callbacks))
            await self._tick(1000 / self.spec.tick_hz, quiet=True)
        await self._seek_videos(end)

    async def _seek_videos(self, target_us: int) -> None:
        """Go to the moment `target_us`, with the videos that play showing their pictures of it."""
        if self._has_video:
            await self._step(target_us - GRID_US)
            if not await self._until(SEEK_VIDEOS, 0):  # one has played until now, and has been paused
                await self._pass_time(PAUSE_ROUNDS, AGAIN_S)
                await self._until(SEEK_VIDEOS, 0)
            limit_s = VIDEO_LIMIT_S if self._late_videos < MOST_LATE else 0.0
            self._late_videos += not await self._let_videos_answer(limit_s)
        await self._step(target_us)

    async def _pass_time(self, rounds: int, pause_s: float) -> None:
        """Let microseconds of the page's time pass, with real time for other threads between them."""
        for _ in range(rounds):
            await asyncio.sleep(pause_s)
            await self._advance(self._now_us + 1)

    async def _let_videos_answer(self, limit_s: float) -> bool:
        """Return whether all videos of the page are loaded and sought in time. Takes less than a step of the grid."""
        started, pause_s = time.monotonic(), AGAIN_S
        for _ in range(GRID_US - PAUSE_ROUNDS - 1):
            if await self._until(VIDEOS_READY, 0):
                return True
            if time.monotonic() - started > limit_s:
                break
            await self._pass_time(1, pause_s)
            pause_s = min(LONGEST_LOOK_S, pause_s * 1.3)
        return False

    async def _step(self, target_us: int) -> None:
        await self._let_threads_answer()
        if self.tab.workers:  # what they send now, the page has as soon as its time passes
            await self._let_workers_run()
        await self._advance(target_us)
        if self.tab.workers:
            await self._let_workers_run()
        if self._loads_video:
            self._loads_video = False
            if self._late_loads < MOST_LATE:
                self._late_loads += not await self._let_videos_answer(VIDEO_LIMIT_S)
        await self._let_threads_answer()

    async def _let_threads_answer(self) -> None:
        """Wait, while time stands, until stores, decoders and the like have answered the page."""
        started = time.monotonic()
        while self._uses_threads:
            await self._until("true", 0)  # after its answer, everything that the page has reported before is here
            if not self._waits_for_threads:
                return
            if time.monotonic() - started > THREADS_LIMIT_S:
                self._late += 1
                self._uses_threads = self._late < MOST_LATE
                return
            await self._change()

    async def _let_workers_run(self) -> None:
        """Let workers run what is due, while time stands. A chain of workers takes a pass for each of its links."""
        for _ in range(min(3, len(self.tab.workers))):
            for worker in reversed(list(self.tab.workers.values())):
                await self._let_run(worker)

    async def _let_run(self, worker: Session) -> None:
        if worker.id in self._unresponsive:
            return
        try:
            params = {"expression": CLOCK_AFTER_MESSAGES, "awaitPromise": True, "returnByValue": True}
            async with asyncio.timeout(WORKER_LIMIT_S):
                answer = await worker.send("Runtime.evaluate", params)
            self._worker_clocks.append(float(answer["result"]["value"]) - self._epoch_ms - self._now_us / 1000)
        except (TimeoutError, CdpError, KeyError, TypeError):
            self._unresponsive.add(worker.id)

    def warnings(self) -> list[CaptureWarning]:
        found = []
        if self.tab.has_shared_or_nested_workers and self._worker_clocks:
            spread = max(self._worker_clocks) - min(self._worker_clocks)
            text = f"Shared or nested workers cannot be held still: their clocks were up to {spread:.1f} ms apart."
            found.append(CaptureWarning(WarningCode.TIMING, text))
        if self._lacks_webgpu:
            text = "No WebGPU: the page asked for it, and this browser has none without a graphics card."
            found.append(CaptureWarning(WarningCode.NO_WEBGPU, text))
        if self._hears_silence:
            text = "The page measures its sound: sound is not rendered here, so it measures silence."
            found.append(CaptureWarning(WarningCode.NO_SOUND, text))
        if self._late_videos:
            text = f"A video was too slow for {self._late_videos} frames: they show one of its earlier pictures."
            found.append(CaptureWarning(WarningCode.TIMING, text))
        if self._cannot_seek:
            text = "A video plays that cannot be sought (its server does not serve parts): its pictures may be late."
            found.append(CaptureWarning(WarningCode.TIMING, text))
        if self._unresponsive:
            found.append(
                CaptureWarning(WarningCode.TIMING, f"{len(self._unresponsive)} workers did not pause between frames.")
            )
        if self._late:
            text = "The page waits for a store, a decoder or the like: what it shows of them may be a tick late."
            found.append(CaptureWarning(WarningCode.TIMING, text))
        return found

    async def _tick(
        self, interval_ms: float, shot: dict[str, Any] | None = None, quiet: bool = False
    ) -> bytes | None:
        ticks, self._ticked_us = _milliseconds(self._base_us + self._now_us), self._now_us
        if quiet:
            await self.tab.images.settled()
            # Animated images and the callbacks of workers go on only with frames that are displayed.
            quiet = not (self.tab.workers or self.tab.images.animated)
        return await self.begin_frame_call(shot, frameTimeTicks=ticks, interval=interval_ms, noDisplayUpdates=quiet)

    # One budget, one expiry

    async def _advance(self, target_us: int, policy: str = "") -> None:
        budget_us = target_us - self._now_us
        if budget_us <= 0:
            return
        if not policy:
            policy = WAIT_FOR_NETWORK
            if self._network_holds or self.tab.network.left_open():
                await self.settle_network()
                policy = ADVANCE
                if self.tab.network.navigates():  # a page leaves for another only while its time passes
                    await asyncio.sleep(budget_us / 1e6)
        wanted = self._expired + 1
        # Chromium truncates the budget to whole microseconds: stay just above. Its answer is not waited for.
        self._set_policy(policy, budget=budget_us / 1000 + 1e-6, maxVirtualTimeTaskStarvationCount=STARVATION)
        await self._until_expired(wanted, policy)
        self._now_us = target_us

    async def _until_expired(self, wanted: int, policy: str) -> None:
        network, started, probe = self.tab.network, time.monotonic(), None
        since = started  # when nothing but the page's own scripts held its clock
        open_since = 0.0  # a request that is not waited for
        while self._expired < wanted:
            waits = policy == WAIT_FOR_NETWORK and bool(network.waited_for())
            if waits:
                with network.waiting():
                    await self._change()
                since = time.monotonic()
            else:
                if policy == WAIT_FOR_NETWORK and network.left_open():
                    open_since = open_since or time.monotonic()
                    if time.monotonic() - open_since > HELD_S:
                        policy = self._go_on_without()
                await self._change()
            if self._expired >= wanted:
                return
            now = time.monotonic()
            if probe is None and now - started > (PROBE_AFTER_S if waits else UNKNOWN_S):
                probe, probed = self.tab.cdp.send("Runtime.evaluate", {"expression": "1"}), now
                probe.add_done_callback(look_away)
            answers = probe is not None and probe.done()
            if policy == WAIT_FOR_NETWORK and not waits and answers:
                self._network_holds = True
                policy = self._go_on_without()
            if probe is not None and not answers and now - probed > self.spec.step_limit_s:
                if await self.tab.is_drawing():
                    probed = time.monotonic()
                    continue
                raise StepTimeout(f"The page hangs: its scripts ran for {now - probed:.0f} s without a pause.")
            if not waits and now - since > 2 * self.spec.step_limit_s:
                raise StepTimeout(f"The page's clock stood for {now - since:.0f} s.")

    def _go_on_without(self) -> str:
        """Let the open budget run on without the network. A second budget would never be used up."""
        self._set_policy(ADVANCE)
        return ADVANCE

    def _set_policy(self, policy: str, **budget: float) -> None:
        answer = self.tab.cdp.send("Emulation.setVirtualTimePolicy", {"policy": policy, **budget})
        answer.add_done_callback(look_away)

    async def _change(self) -> None:
        """Return when something has happened, or soon. Raises what the page was ended for."""
        await self.tab.network.change(LOOK_S)
        if self.tab.gone.done():
            self.tab.gone.result()

    def _binding_called(self, event: dict[str, Any]) -> None:
        if event["name"] != BINDING:
            return
        match event["payload"]:
            case "no webgpu":
                self._lacks_webgpu = True
                return
            case "silence":
                self._hears_silence = True
                return
            case "video loads":
                self._loads_video = True
                return
            case "video plays":
                self._has_video = True
                return
            case "video cannot be sought":
                self._cannot_seek = True
                return
        self._waits_for_threads = event["payload"] == "busy"
        self._uses_threads = self._late < MOST_LATE
        self.tab.network.wake()

    def _frame_navigated(self, event: dict[str, Any]) -> None:
        self._navigations += "parentId" not in event["frame"]

    def _budget_expired(self, _: dict[str, Any]) -> None:
        self._expired += 1
        self.tab.network.wake()

    # The check

    def _ask_clock(self) -> asyncio.Future[dict[str, Any]] | None:
        """Ask for the page's Date and time in ms. The answer comes with the frame's."""
        if self._world is None:
            return None
        params = {"expression": CLOCK, "contextId": self._world, "returnByValue": True}
        answer = self.tab.cdp.send("Runtime.evaluate", params)
        answer.add_done_callback(look_away)
        return answer

    async def _check_clock(self, asked: asyncio.Future[dict[str, Any]] | None) -> None:
        """Compare what the page reads with the plan. Raises CaptureError INTERNAL when they disagree."""
        if asked is None:
            self._world = await self._new_world()
            asked = self._ask_clock()
        if asked is None:
            return  # it navigates in this moment
        try:
            answer = asked.result() if asked.done() else await self.tab.race(asked, self.spec.step_limit_s, "running")
            off = float(answer["result"]["value"]) - self._epoch_ms - self._now_us / 1000
        except (CdpError, KeyError):
            self._world = None  # it has gone with its document
            return
        if self._navigations > self._navigations_seen:
            # Chromium adds some milliseconds for each document that the page itself goes to.
            self._navigations_seen = self._navigations
            self._base_us += _grid(off * 1000)
            self._epoch_ms += off
            return
        if abs(off) > CLOCK_TOLERANCE_MS:
            moment = self._now_us / 1000
            text = f"The page's clock is {off:+.1f} ms off at {moment:.1f} ms of its time: a fault of the engine."
            raise CaptureError(ErrorCode.INTERNAL, text)

    async def _new_world(self) -> int | None:
        try:
            tree = await self.tab.send("Page.getFrameTree")
            frame = tree["frameTree"]["frame"]["id"]
            made = await self.tab.send("Page.createIsolatedWorld", frameId=frame, worldName=WORLD)
        except CdpError:
            return None
        return int(made["executionContextId"])


def _milliseconds(us: int) -> float:
    """Return a moment for Chromium, which truncates it to whole microseconds: just above, or it may lose one."""
    return (us + TRUNCATED_US) / 1000


def _grid(us: float) -> int:
    return round(us / GRID_US) * GRID_US


def _callbacks(index: int, spec: CaptureSpec) -> int:
    """Return how many animation callbacks a screen has had when a frame is shown, counted from the first frame."""
    return max(index, round(index * spec.tick_hz / spec.fps + 1e-9))
