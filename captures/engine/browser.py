"""One warm Chromium: started lazily, replaced when worn, gone when closed."""

from __future__ import annotations

import asyncio
import contextlib
import time

import psutil
from playwright.async_api import Browser, CDPSession, Playwright
from playwright.async_api import Error as PlaywrightError

from captures.engine.chromium import BrowserOptions, find_any_browser, find_headless_shell, is_headless_shell
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.spec import CaptureSpec
from captures.engine.tab import Tab, open_begin_frame, open_plain

START_LIMIT_S = 20.0
CLOSE_LIMIT_S = 4.0
OPEN_LIMIT_S = 10.0


def can_begin_frame(options: BrowserOptions) -> bool:
    """Only the headless shell lets us say when to draw."""
    return is_headless_shell(find_headless_shell(options.executable))


class WarmBrowser:
    """A running Chromium. `worn` says when it should be replaced, `lost` when it has died."""

    def __init__(
        self, browser: Browser, root: CDPSession, pid: int, options: BrowserOptions, begin_frame: bool
    ) -> None:
        self.browser, self.root, self.pid = browser, root, pid
        self.options, self.begin_frame = options, begin_frame
        self.started = time.monotonic()
        self.grabs = 0
        self.suspect = False  # misbehaved: do not use it again

    @classmethod
    async def start(cls, playwright: Playwright, options: BrowserOptions, begin_frame: bool) -> WarmBrowser:
        """Raises CaptureError NO_BROWSER or BROWSER_LOST."""
        executable = find_any_browser(options.executable)
        try:
            browser = await playwright.chromium.launch(
                executable_path=executable,
                args=options.flags(begin_frame),
                chromium_sandbox=options.sandboxed,
                proxy={"server": options.proxy} if options.proxy else None,
                timeout=START_LIMIT_S * 1000,
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
            root = await browser.new_browser_cdp_session()
            info = await root.send("SystemInfo.getProcessInfo")
        except PlaywrightError as error:
            reason = error.message.splitlines()[0]
            raise CaptureError(ErrorCode.BROWSER_LOST, f"Chromium did not start: {reason}") from None
        pid = next(int(p["id"]) for p in info["processInfo"] if p["type"] == "browser")
        return cls(browser, root, pid, options, begin_frame)

    @property
    def lost(self) -> bool:
        return not self.browser.is_connected()

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
        opening = (
            open_begin_frame(self.browser, self.root, spec) if self.begin_frame else open_plain(self.browser, spec)
        )
        try:
            return await asyncio.wait_for(opening, OPEN_LIMIT_S)
        except (PlaywrightError, TimeoutError) as error:
            self.suspect = True
            raise CaptureError(ErrorCode.BROWSER_LOST, f"The browser could not open a page ({error}).") from None

    async def page_pids(self) -> list[int]:
        """Process ids of the pages now open."""
        info = await self.root.send("SystemInfo.getProcessInfo")
        return [int(p["id"]) for p in info["processInfo"] if p["type"] == "renderer"]

    def memory_mb(self) -> int:
        """Proportional set size of the whole process tree."""
        return sum(_pss(process) for process in self._tree()) >> 20

    async def close(self) -> None:
        """Ends it: nicely within a limit, else by force. Nothing of it is left afterwards."""
        tree = self._tree()
        with contextlib.suppress(Exception):  # whatever the state of the connection, the kill below decides
            await asyncio.wait_for(self.browser.close(), CLOSE_LIMIT_S)
        for process in tree:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _tree(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self.pid)
            return [root, *root.children(recursive=True)]
        except psutil.Error:
            return []


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
