"""One warm Chromium: started lazily, replaced when worn, gone when closed."""

from __future__ import annotations

import asyncio
import contextlib
import time

from captures.engine.cdp import CdpError, Session
from captures.engine.chromium import BrowserOptions, find_any_browser, find_headless_shell, is_headless_shell
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.process import Process, held
from captures.engine.spec import CaptureSpec
from captures.engine.tab import Tab, open_tab

START_LIMIT_S = 20.0
CLOSE_LIMIT_S = 3.0
OPEN_LIMIT_S = 10.0
SANDBOX_ADVICE = "Its sandbox is on, which needs user namespaces: does this machine allow them?"


def can_begin_frame(options: BrowserOptions) -> bool:
    """Only the headless shell lets us say when to draw."""
    return is_headless_shell(find_headless_shell(options.executable))


class WarmBrowser:
    """A running Chromium. `worn` says when it should be replaced, `lost` when it has died."""

    def __init__(self, process: Process, options: BrowserOptions, begin_frame: bool) -> None:
        self.process, self.root, self.pid = process, Session(process.connection), process.pid
        self.options, self.begin_frame = options, begin_frame
        self.started = time.monotonic()
        self.grabs = 0
        self.suspect = False  # misbehaved: do not use it again

    @classmethod
    async def start(cls, options: BrowserOptions, begin_frame: bool) -> WarmBrowser:
        """Raises CaptureError NO_BROWSER or BROWSER_LOST."""
        executable = find_any_browser(options.executable)
        try:
            process = await Process.start(executable, options.flags(begin_frame), options.profiles, options.bounds)
        except OSError as error:
            raise CaptureError(ErrorCode.NO_BROWSER, f"Chromium did not start: {error.strerror}.") from None
        browser = cls(process, options, begin_frame)
        try:
            await asyncio.wait_for(browser.root.send("Browser.getVersion"), START_LIMIT_S)
        except (CdpError, TimeoutError) as error:
            await process.end()
            reason = str(error) or f"no answer within {START_LIMIT_S:g} s"
            if options.sandboxed:
                reason += f" {SANDBOX_ADVICE}"
            raise CaptureError(ErrorCode.BROWSER_LOST, f"Chromium did not start: {reason}") from None
        except BaseException:
            await process.end()
            raise
        return browser

    @property
    def lost(self) -> bool:
        return self.process.connection.lost.done()

    def worn(self) -> str:
        """Why this browser should be replaced before the next capture; empty while it is good."""
        options = self.options
        if self.lost:
            return "gone"
        if self.suspect:
            return "misbehaved"
        if self.grabs >= options.recycle_grabs:
            return f"served {self.grabs} captures"
        if time.monotonic() - self.started > options.recycle_age_s:
            return f"older than {options.recycle_age_s:g} s"
        if self.grabs % 10 == 9 and (used := self.memory_mb()) > options.recycle_memory_mb:
            return f"uses {used} MB"
        return ""

    async def open(self, spec: CaptureSpec) -> Tab:
        """A fresh page. Raises CaptureError BROWSER_LOST when the browser cannot make one."""
        self.grabs += 1
        try:
            return await asyncio.wait_for(self._opened(spec), OPEN_LIMIT_S)
        except (CdpError, TimeoutError) as error:
            self.suspect = True
            reason = str(error) or f"no answer within {OPEN_LIMIT_S:g} s"
            raise CaptureError(ErrorCode.BROWSER_LOST, f"The browser could not open a page: {reason}") from None

    async def _opened(self, spec: CaptureSpec) -> Tab:
        passage = await self.options.gate() if self.options.gate else None
        try:
            tab = await open_tab(self.root, spec, self.begin_frame, passage)
            tab.drawing_s = self.process.drawing_s
            return tab
        except BaseException:
            if passage is not None:
                passage.close()
            raise

    def memory_mb(self) -> int:
        """Return what the whole process tree holds, in MB (2^20 bytes)."""
        return sum(held(process.pid) for process in self.process.tree()) >> 20

    async def close(self) -> None:
        """Ends it: nicely within a limit, else (or when it misbehaved) by force. Nothing of it is left afterwards."""
        if self.suspect:
            await self.process.end()
            return
        with contextlib.suppress(CdpError, TimeoutError):
            closing = self.root.send("Browser.close")
            await asyncio.wait_for(closing, CLOSE_LIMIT_S)
            await asyncio.wait_for(asyncio.shield(self.process.connection.lost), CLOSE_LIMIT_S)
        await self.process.end()
