"""One page and its DevTools session. Every call ends at once when the page crashes, closes or is condemned."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable
from typing import Any, TypeVar

from captures.engine.cdp import CdpError, Session
from captures.engine.errors import CaptureError, ErrorCode, StepTimeout
from captures.engine.evidence import Evidence
from captures.engine.gate import EVERYTHING, Passage
from captures.engine.spec import CaptureSpec

T = TypeVar("T")
CLOSE_LIMIT_S = 3.0


class Tab:
    """A page in a context of its own, so that nothing of one capture reaches the next."""

    def __init__(
        self, root: Session, context: str, session: Session, spec: CaptureSpec, passage: Passage | None = None
    ) -> None:
        self.root, self.context, self.cdp, self.spec = root, context, session, spec
        self.passage = passage
        self.evidence = Evidence(session, passage, spec.max_requests, self._asks_too_much)
        self.workers: dict[str, Session] = {}
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone.add_done_callback(_look_away)
        crashed = CaptureError(ErrorCode.CRASHED, "The page's process crashed.")
        session.on("Inspector.targetCrashed", lambda _: self.condemn(crashed))
        session.on("Inspector.detached", lambda _: self.condemn(_lost()))
        session.on("Target.attachedToTarget", self._attached)
        session.on("Target.detachedFromTarget", self._detached)
        session.connection.lost.add_done_callback(lambda _: self.condemn(_lost()))

    def condemn(self, error: CaptureError) -> None:
        """Makes every pending and later call on this tab fail with `error`."""
        if not self.gone.done():
            self.gone.set_exception(error)

    def _asks_too_much(self) -> None:
        sentence = f"The page sent more than {self.spec.max_requests} requests over the network."
        self.condemn(CaptureError(ErrorCode.REQUESTS, sentence))

    async def race(self, awaitable: Awaitable[T], limit_s: float, doing: str) -> T:
        """The awaitable's value; raises the tab's doom if that comes first, StepTimeout after `limit_s`."""
        task = asyncio.ensure_future(awaitable)
        either: set[asyncio.Future[Any]] = {task, self.gone}
        done, _ = await asyncio.wait(either, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if self.gone in done:
            task.add_done_callback(_look_away)
            task.cancel()
            self.gone.result()
        if task in done:
            return task.result()
        task.add_done_callback(_look_away)
        task.cancel()
        raise StepTimeout(f"The page did not answer within {limit_s:g} s while {doing}.")

    async def send(self, method: str, limit_s: float | None = None, **params: Any) -> dict[str, Any]:
        limit = limit_s or self.spec.step_limit_s
        return await self.race(self.cdp.send(method, params), limit, f"handling {method}")

    async def evaluate(self, expression: str, limit_s: float | None = None, wait: bool = False) -> Any:
        """The expression's value, None when it throws."""
        answer = await self.send(
            "Runtime.evaluate", limit_s, expression=expression, returnByValue=True, awaitPromise=wait
        )
        return answer["result"].get("value")

    async def prepare(self, metrics: dict[str, Any], begin_frame: bool) -> None:
        """Sends the set-up all at once: Chromium handles a session's calls in order."""
        auto_attach = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True}
        calls = [
            *(self.send(f"{domain}.enable") for domain in ("Page", "Runtime", "Network", "Log", "Inspector")),
            self.send("Network.setBypassServiceWorker", bypass=True),
            self.send("Emulation.setFocusEmulationEnabled", enabled=True),
            self.send("Emulation.setDeviceMetricsOverride", **metrics),
            self.send("Target.setAutoAttach", **auto_attach),
        ]
        if begin_frame:
            calls.append(self.send("HeadlessExperimental.enable"))
        if self.spec.blocked_urls:
            calls.append(self.send("Network.setBlockedURLs", urls=list(self.spec.blocked_urls)))
        if self.spec.transparent:
            calls.append(self.clear_background())
        await asyncio.gather(*calls)

    async def clear_background(self) -> dict[str, Any]:
        color = {"r": 0, "g": 0, "b": 0, "a": 0}
        return await self.send("Emulation.setDefaultBackgroundColorOverride", color=color)

    async def screenshot(self, **options: Any) -> bytes:
        """An ordinary screenshot (not on a begin-frame page: it would wait for a frame for ever)."""
        return base64.b64decode((await self.send("Page.captureScreenshot", **options))["data"])

    async def close(self) -> bool:
        """True when the context is gone within the limit; also when the page is wedged."""
        self.condemn(_lost())
        self.cdp.connection.forget(self.cdp.id)
        if self.passage is not None:
            self.passage.close()
        try:
            disposing = self.root.send("Target.disposeBrowserContext", {"browserContextId": self.context})
            await asyncio.wait_for(disposing, CLOSE_LIMIT_S)
        except (CdpError, TimeoutError):  # a lost browser has closed its pages too
            return False
        return True

    def _attached(self, event: dict[str, Any]) -> None:
        if event["targetInfo"]["type"] == "worker":
            self.workers[event["sessionId"]] = Session(self.cdp.connection, event["sessionId"])

    def _detached(self, event: dict[str, Any]) -> None:
        self.workers.pop(event["sessionId"], None)


def _lost() -> CaptureError:
    return CaptureError(ErrorCode.BROWSER_LOST, "The page was closed.")


def _look_away(task: asyncio.Future[Any]) -> None:
    """The answer of an abandoned call interests nobody, its failure neither."""
    if not task.cancelled():
        task.exception()


async def open_tab(root: Session, spec: CaptureSpec, begin_frame: bool, passage: Passage | None = None) -> Tab:
    """A fresh page in a fresh context. With `begin_frame` it draws only when told to.

    BeginFrame's screenshots have the window's size, whatever the device scale factor: there the window gets the
    file's size in pixels, and `scale` enlarges the page into it.
    """
    wishes: dict[str, Any] = {"disposeOnDetach": True}
    if passage is not None:
        wishes |= {"proxyServer": passage.server, "proxyBypassList": EVERYTHING}
    context = (await root.send("Target.createBrowserContext", wishes))["browserContextId"]
    try:
        refusal = root.send("Browser.setDownloadBehavior", {"behavior": "deny", "browserContextId": context})
        width, height = spec.pixel_size if begin_frame else (spec.width, spec.height)
        wanted = {"url": "about:blank", "browserContextId": context, "width": width, "height": height}
        if begin_frame:
            wanted["enableBeginFrameControl"] = True
        target = await root.send("Target.createTarget", wanted)
        attached = await root.send("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        await refusal
        tab = Tab(root, context, Session(root.connection, attached["sessionId"]), spec, passage)
        await tab.prepare(_metrics(spec, begin_frame), begin_frame)
    except BaseException:
        root.send("Target.disposeBrowserContext", {"browserContextId": context}).add_done_callback(_look_away)
        raise
    return tab


def _metrics(spec: CaptureSpec, begin_frame: bool) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "width": spec.width,
        "height": spec.height,
        "screenWidth": spec.width,
        "screenHeight": spec.height,
        "deviceScaleFactor": spec.scale,
        "mobile": False,
    }
    if begin_frame:
        metrics |= {"scale": spec.scale, "dontSetVisibleSize": True}
    return metrics
