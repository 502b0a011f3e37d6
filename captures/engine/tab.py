"""One page and its DevTools session. Every call ends at once when the page crashes, closes or is condemned."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable
from typing import Any, TypeVar

from playwright.async_api import Browser, BrowserContext, CDPSession, Page

from captures.engine.errors import CaptureError, ErrorCode, StepTimeout
from captures.engine.evidence import Evidence
from captures.engine.spec import CaptureSpec

T = TypeVar("T")
CLOSE_LIMIT_S = 3.0


class Tab:
    """A page in a context of its own, so that nothing of one capture reaches the next."""

    def __init__(self, context: BrowserContext, page: Page, cdp: CDPSession, spec: CaptureSpec) -> None:
        self.context, self.page, self.cdp, self.spec = context, page, cdp, spec
        self.evidence = Evidence(page)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone.add_done_callback(_look_away)
        page.on("crash", lambda *_: self.condemn(CaptureError(ErrorCode.CRASHED, "The page's process crashed.")))
        page.on("close", lambda *_: self.condemn(CaptureError(ErrorCode.BROWSER_LOST, "The page was closed.")))

    def condemn(self, error: CaptureError) -> None:
        """Makes every pending and later call on this tab fail with `error`."""
        if not self.gone.done():
            self.gone.set_exception(error)

    async def race(self, awaitable: Awaitable[T], limit_s: float, doing: str) -> T:
        """The awaitable's value; raises the tab's doom if that comes first, StepTimeout after `limit_s`."""
        task = asyncio.ensure_future(awaitable)
        either: set[asyncio.Future[Any]] = {task, self.gone}
        done, _ = await asyncio.wait(either, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            return task.result()
        task.add_done_callback(_look_away)
        task.cancel()
        if self.gone in done:
            self.gone.result()
        raise StepTimeout(f"The page did not answer within {limit_s:g} s while {doing}.")

    async def send(self, method: str, limit_s: float | None = None, **params: Any) -> dict[str, Any]:
        limit = limit_s or self.spec.step_limit_s
        answer: dict[str, Any] = await self.race(self.cdp.send(method, params), limit, f"handling {method}")
        return answer

    async def evaluate(self, expression: str, limit_s: float | None = None, wait: bool = False) -> Any:
        """The expression's value, None when it throws. Never waits for a frame, unlike Playwright's own."""
        answer = await self.send(
            "Runtime.evaluate", limit_s, expression=expression, returnByValue=True, awaitPromise=wait
        )
        return answer["result"].get("value")

    async def prepare(self, *first: Awaitable[Any]) -> None:
        """Sends the set-up all at once: Chromium handles a session's calls in order."""
        calls = [*first]
        if self.spec.blocked_urls:
            calls.append(self.send("Network.enable"))
            calls.append(self.send("Network.setBlockedURLs", urls=list(self.spec.blocked_urls)))
        if self.spec.transparent:
            calls.append(self.clear_background())
        await asyncio.gather(*calls)

    async def clear_background(self) -> None:
        color = {"r": 0, "g": 0, "b": 0, "a": 0}
        await self.send("Emulation.setDefaultBackgroundColorOverride", color=color)

    async def screenshot(self, **options: Any) -> bytes:
        """An ordinary screenshot (not on a begin-frame page: it would wait for a frame for ever)."""
        return base64.b64decode((await self.send("Page.captureScreenshot", **options))["data"])

    async def close(self) -> bool:
        """True when the context is gone within the limit; also when the page is wedged."""
        self.condemn(CaptureError(ErrorCode.BROWSER_LOST, "The page was closed."))
        try:
            await asyncio.wait_for(self.context.close(), CLOSE_LIMIT_S)
        except Exception:  # a lost browser has closed its pages too
            return False
        return True


def _look_away(task: asyncio.Future[Any]) -> None:
    """The answer of an abandoned call interests nobody, its failure neither."""
    if not task.cancelled():
        task.exception()


async def open_plain(browser: Browser, spec: CaptureSpec) -> Tab:
    """A page whose frames Chromium schedules by itself."""
    context = await browser.new_context(
        viewport={"width": spec.width, "height": spec.height},
        device_scale_factor=spec.scale,
        accept_downloads=False,
        service_workers="block",
    )
    try:
        page = await context.new_page()
        tab = Tab(context, page, await context.new_cdp_session(page), spec)
        await tab.prepare()
    except BaseException:
        await context.close()
        raise
    return tab


async def open_begin_frame(browser: Browser, root: CDPSession, spec: CaptureSpec) -> Tab:
    """A page that draws only when told to.

    Playwright has no call for it, so the target is made by hand inside a Playwright context, whose id is found as
    the difference before and after. The window has the file's size in pixels; `scale` then enlarges the page into
    it, which (unlike deviceScaleFactor alone) is what BeginFrame's screenshots see.
    """
    before = set((await root.send("Target.getBrowserContexts"))["browserContextIds"])
    context = await browser.new_context(no_viewport=True, accept_downloads=False, service_workers="block")
    try:
        ids = set((await root.send("Target.getBrowserContexts"))["browserContextIds"]) - before
        width, height = spec.pixel_size
        async with context.expect_page(timeout=8000) as opened:
            await root.send(
                "Target.createTarget",
                {
                    "url": "about:blank",
                    "browserContextId": ids.pop(),
                    "width": width,
                    "height": height,
                    "enableBeginFrameControl": True,
                },
            )
        page = await opened.value
        tab = Tab(context, page, await context.new_cdp_session(page), spec)
        metrics = tab.send("Emulation.setDeviceMetricsOverride", **_metrics(spec))
        await tab.prepare(tab.send("HeadlessExperimental.enable"), metrics)
    except BaseException:
        await context.close()
        raise
    return tab


def _metrics(spec: CaptureSpec) -> dict[str, Any]:
    return {
        "width": spec.width,
        "height": spec.height,
        "screenWidth": spec.width,
        "screenHeight": spec.height,
        "deviceScaleFactor": spec.scale,
        "scale": spec.scale,
        "mobile": False,
        "dontSetVisibleSize": True,
    }
