"""Watches the memory of the page being captured, and kills the page before it takes the machine with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from captures.engine.browser import WarmBrowser
from captures.engine.cdp import CdpError
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.tab import Tab

LOOK_EVERY_S = 0.2
RENEW_EVERY = 5  # looks, after which new processes of the page are searched for
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


async def watch_memory(browser: WarmBrowser, tab: Tab) -> None:
    """Runs until cancelled. Condemns the tab with MEMORY and kills its process once it is above its limit."""
    limit = tab.spec.memory_limit_mb << 20
    pids: list[int] = []
    look = 0
    while True:
        if look % RENEW_EVERY == 0 or not pids:
            with contextlib.suppress(CdpError):
                pids = await browser.page_pids()
        look += 1
        fat = next((pid for pid in pids if resident(pid) > limit), None)
        if fat is not None:
            used = resident(fat) >> 20
            tab.condemn(CaptureError(ErrorCode.MEMORY, f"The page used {used} MB of at most {limit >> 20} MB."))
            with contextlib.suppress(ProcessLookupError):
                os.kill(fat, signal.SIGKILL)
            return
        await asyncio.sleep(LOOK_EVERY_S)


def resident(pid: int) -> int:
    """Bytes of memory held by a process; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0
