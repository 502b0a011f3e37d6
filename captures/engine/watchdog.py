"""Watches what the page being captured takes, and ends it before it takes the machine with it.

A page lives in more than its own process: what WebGL holds is in the GPU process, what it stores or says in the
browser's. All of them are counted, the shared ones by how much they have grown since the page was opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading

from captures.engine.browser import WarmBrowser
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.process import Family, held
from captures.engine.tab import Tab

LOOK_EVERY_S = 0.1
RENEW_EVERY = 5  # looks, after which new processes are searched for


class Watchdog:
    """Condemns a tab with MEMORY or PROCESSES and kills it, once it takes too much.

    It has a thread of its own: a page can keep the event loop and its pool of threads busy.
    """

    def __init__(self, browser: WarmBrowser, tab: Tab) -> None:
        self.browser, self.tab = browser, tab
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._lock = threading.Lock()  # held while the page is ended, so that it is not the next one
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Return once it will end nothing any more."""
        with self._lock:
            self._stopped.set()

    def _run(self) -> None:
        family = self.browser.process.family()
        before = {pid: held(pid) for pid in family.others}
        look = 0
        while not self._stopped.wait(LOOK_EVERY_S if look else 0):
            look += 1
            if look % RENEW_EVERY == 0:
                family = self.browser.process.family()
            if doom := _doom(self.browser, self.tab, family, before):
                self._end(family, doom)
                return

    def _end(self, family: Family, doom: CaptureError) -> None:
        with self._lock:
            if self._stopped.is_set():
                return
            self._loop.call_soon_threadsafe(self.tab.condemn, doom)  # before the page is seen to crash
            self.browser.suspect = True  # what the page holds in the others ends with them
            _kill(family)


def _doom(browser: WarmBrowser, tab: Tab, family: Family, before: dict[int, int]) -> CaptureError | None:
    most = browser.options.page_processes
    if len(family.pages) > most:
        return CaptureError(ErrorCode.PROCESSES, f"The page ran {len(family.pages)} processes of at most {most}.")
    limit = tab.spec.memory_limit_mb
    used = sum(map(held, family.pages)) + sum(max(0, held(pid) - before.get(pid, 0)) for pid in family.others)
    if used <= limit << 20:
        return None
    return CaptureError(ErrorCode.MEMORY, f"The page used {used >> 20} MB of at most {limit} MB.")


def _kill(family: Family) -> None:
    """The page, and what holds most for it; the browser itself, if it is that, is ended by whoever owns it."""
    fattest = max(family.others, key=held, default=0)
    for pid in {*family.pages, fattest} - {family.root, 0}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
