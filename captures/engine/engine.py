"""The engine: one warm browser, one capture at a time, and the ladder of modes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

from captures.engine.browser import WarmBrowser, can_begin_frame
from captures.engine.cdp import CdpError
from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError, ErrorCode, StepTimeout
from captures.engine.pace import PACERS, Pacer
from captures.engine.run import Run
from captures.engine.spec import CaptureResult, CaptureSpec, Mode, OnProgress, Progress
from captures.engine.tab import Tab
from captures.engine.watchdog import Watchdog

log = logging.getLogger(__name__)
START_AGAIN_S = 10.0  # between tries while the browser cannot be started
TIMEOUT_SETTING = "OVEN_CAPTURE_TIMEOUT_S"


class Engine:
    """Owns a warm browser. Lives on one event loop; captures queue up behind each other."""

    def __init__(self, options: BrowserOptions | None = None) -> None:
        self.options = options or BrowserOptions()
        self.restarts = 0
        self.broken = False  # the browser could not be started the last time
        self._trying: asyncio.Task[None] | None = None
        self._warm: WarmBrowser | None = None
        self._turn = asyncio.Lock()
        self._leaving: asyncio.Task[None] | None = None  # the last page, closing while its picture is stored

    async def capture(self, spec: CaptureSpec, scratch: Path, report: OnProgress = lambda _: None) -> CaptureResult:
        """Captures a page into a file in `scratch`. Raises CaptureError; cancelling ends the page at once."""
        async with self._turn:
            latest = Progress("loading", 0, "Starting")

            def remember(progress: Progress) -> None:
                nonlocal latest
                latest = progress
                report(progress)

            remember(latest)
            try:
                async with asyncio.timeout(spec.deadline_s):
                    return await self._down_the_ladder(spec, scratch, remember)
            except TimeoutError:
                raise CaptureError(ErrorCode.TIMEOUT, _too_slow(spec, latest)) from None

    async def warm_up(self) -> None:
        """Starts the browser ahead of the first capture."""
        async with self._turn:
            await self._browser(can_begin_frame(self.options))

    async def close(self) -> None:
        if self._trying is not None:
            self._trying.cancel()
        await self._left()
        await self._retire("closing")

    @property
    def browser(self) -> WarmBrowser | None:
        return self._warm

    async def _down_the_ladder(self, spec: CaptureSpec, scratch: Path, report: OnProgress) -> CaptureResult:
        """A mode that gets stuck is followed by the next. Two that never got ready: the page hangs for good."""
        doom: CaptureError | None = None
        stuck_before_ready = 0
        for mode in self._modes(spec):
            try:
                return await self._attempt(PACERS[mode], spec, scratch, report)
            except _Stuck as stuck:
                log.info("mode %s got stuck: %s", mode, stuck.error.message)
                doom = doom or stuck.error
                stuck_before_ready += not stuck.was_ready
                if stuck_before_ready == 2:
                    break
        raise doom or CaptureError(ErrorCode.NO_BROWSER, "No way of capturing is available here.")

    def _modes(self, spec: CaptureSpec) -> list[Mode]:
        """Where we say when to draw, the plain mode adds nothing over the injected one; elsewhere it leads."""
        usable = {Mode.VIRTUAL, Mode.INJECTED} if can_begin_frame(self.options) else {Mode.PLAIN}
        if Mode.PLAIN in spec.modes and not usable & set(spec.modes):
            usable = {Mode.PLAIN}
        return [mode for mode in spec.modes if mode in usable | {Mode.REALTIME, Mode.STILL}]

    async def _attempt(
        self, pacer: type[Pacer], spec: CaptureSpec, scratch: Path, report: OnProgress
    ) -> CaptureResult:
        started = time.monotonic()
        async with self._page(pacer.begin_frame, spec) as (tab, opened):
            run = Run(spec, pacer(tab), scratch, report)
            run.spans["open"] = round((opened - started) * 1000)
            try:
                return await run()
            except StepTimeout as error:
                error.evidence = tab.evidence.as_dict()
                raise _Stuck(error, run.was_ready) from None
            except CaptureError as error:
                error.evidence = tab.evidence.as_dict()
                raise
            except CdpError as error:
                message = f"The browser failed: {error}"
                raise CaptureError(ErrorCode.BROWSER_LOST, message) from None

    @contextlib.asynccontextmanager
    async def _page(self, begin_frame: bool, spec: CaptureSpec) -> AsyncIterator[tuple[Tab, float]]:
        browser = await self._browser(begin_frame)
        tab = await browser.open(spec)
        opened = time.monotonic()
        watchdog = Watchdog(browser, tab)
        try:
            yield tab, opened
        except BaseException:
            await asyncio.shield(self._leave(browser, tab))
            raise
        else:
            self._leaving = asyncio.create_task(self._leave(browser, tab))
        finally:
            watchdog.stop()

    async def _leave(self, browser: WarmBrowser, tab: Tab) -> None:
        """A browser that misbehaved goes at once: until the next capture it would hold what it has taken."""
        if not await tab.close():
            browser.suspect = True
        if browser.suspect and browser is self._warm:
            await self._retire("misbehaved")

    async def _left(self) -> None:
        """Waits for the last page to be gone: there is never more than one."""
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            await leaving

    async def _browser(self, begin_frame: bool) -> WarmBrowser:
        await self._left()
        if self._warm is not None:
            reason = self._warm.worn() or ("other kind needed" if self._warm.begin_frame != begin_frame else "")
            if reason:
                await self._retire(reason)
        if self._warm is None:
            self._warm = await self._start(begin_frame)
        return self._warm

    async def _start(self, begin_frame: bool) -> WarmBrowser:
        try:
            browser = await WarmBrowser.start(self.options, begin_frame)
        except CaptureError:
            self.broken = True
            if self._trying is None or self._trying.done():
                self._trying = asyncio.create_task(self._keep_trying())
            raise
        self.broken = False
        return browser

    async def _keep_trying(self) -> None:
        """Try to start the browser every few seconds, so that `broken` ends without a capture."""
        while self.broken:
            await asyncio.sleep(START_AGAIN_S)
            with contextlib.suppress(CaptureError):
                await self.warm_up()

    async def _retire(self, reason: str) -> None:
        browser, self._warm = self._warm, None
        if browser is None:
            return
        log.info("browser retired: %s", reason)
        self.restarts += 1
        await browser.close()


def _too_slow(spec: CaptureSpec, latest: Progress) -> str:
    """Return the sentence about a page that made progress until its time was up."""
    if latest.frames_total:
        made = f"{latest.frames_done} of {latest.frames_total} frames were captured"
        return f"The page is too slow: {made} in {spec.deadline_s:g} s ({TIMEOUT_SETTING})."
    return f"The capture took longer than {spec.deadline_s:g} s ({TIMEOUT_SETTING}): {latest.detail}."


class _Stuck(Exception):
    def __init__(self, error: StepTimeout, was_ready: bool) -> None:
        super().__init__(error.message)
        self.error, self.was_ready = error, was_ready
