"""One page and its DevTools session. Every call ends at once when the page crashes, closes or is condemned."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from captures.engine.cdp import CdpError, Session
from captures.engine.errors import CaptureError, ErrorCode, StepTimeout
from captures.engine.evidence import Evidence
from captures.engine.gate import EVERYTHING, Passage
from captures.engine.images import Images
from captures.engine.network import Network
from captures.engine.spec import CaptureSpec

T = TypeVar("T")
CLOSE_LIMIT_S = 3.0
DRAWING_LOOK_S = 0.5
DRAWING_SHARE = 0.15  # of a core
SEED_JS, COLOR_JS = ((Path(__file__).parent / "pace" / name).read_text() for name in ("seed.js", "color.js"))
AUTO_ATTACH: dict[str, Any] = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
FOLLOW = {"Network.enable": {}, "Target.setAutoAttach": AUTO_ATTACH, "Runtime.runIfWaitingForDebugger": {}}
DOING = {  # what the page does meanwhile, for the sentence about one that does not answer
    "HeadlessExperimental.beginFrame": "drawing a frame",
    "Page.captureScreenshot": "drawing a picture",
    "Page.navigate": "opening",
    "Runtime.evaluate": "running its scripts",
    "Emulation.setVirtualTimePolicy": "running its scripts",
}
NAVIGATED = (
    "Inspected target navigated",
    "Execution context was destroyed",
    "Cannot find default execution context",
)
EVALUATE_ATTEMPTS = 5
SHARED_WORKERS = {**AUTO_ATTACH, "filter": [{"type": "shared_worker"}, {"exclude": True}]}


class Tab:
    """A page in a context of its own, so that nothing of one capture reaches the next."""

    def __init__(
        self, root: Session, context: str, session: Session, spec: CaptureSpec, passage: Passage | None = None
    ) -> None:
        self.root, self.context, self.cdp, self.spec = root, context, session, spec
        self.passage = passage
        self._begin_frame = False
        self.drawing_s: Callable[[], float] = float  # the CPU time that drawing has used so far
        self.evidence = Evidence(session, passage, spec.max_requests, self._asks_too_much)
        self.network = Network(spec.network_wait_s, spec.fetch_wait_s)
        self.network.listen(session)
        self.images = Images()
        self.images.listen(session)
        self.workers: dict[str, Session] = {}  # shared ones and those that workers have started, too
        self.has_shared_or_nested_workers = (
            False  # shared ones, or workers of workers: they run a little on their own
        )
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone.add_done_callback(look_away)
        self.gone.add_done_callback(lambda _: self.network.wake())
        crashed = CaptureError(ErrorCode.CRASHED, "The page's process crashed.")
        session.on("Inspector.targetCrashed", lambda _: self.condemn(crashed))
        session.on("Inspector.detached", lambda _: self.condemn(_lost()))
        session.on("Target.attachedToTarget", self._attached)
        session.on("Target.detachedFromTarget", self._detached)
        root.on("Target.attachedToTarget", self._shared_worker)
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
        task.add_done_callback(look_away)
        either: set[asyncio.Future[Any]] = {task, self.gone}
        done, _ = await asyncio.wait(either, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if self.gone in done:
            task.cancel()
            self.gone.result()
        if task in done:
            return task.result()
        task.cancel()
        raise StepTimeout(f"The page did not answer within {limit_s:g} s while {doing}.")

    async def send(self, method: str, limit_s: float | None = None, **params: Any) -> dict[str, Any]:
        limit = limit_s or self.spec.step_limit_s
        return await self.race(self.cdp.send(method, params), limit, DOING.get(method, "being set up"))

    async def is_drawing(self) -> bool:
        """Return whether the browser draws: a page that waits for that is not hung."""
        before, started = await asyncio.to_thread(self.drawing_s), time.monotonic()
        await asyncio.sleep(DRAWING_LOOK_S)
        used = await asyncio.to_thread(self.drawing_s) - before
        return used > DRAWING_SHARE * (time.monotonic() - started)

    async def evaluate(self, expression: str, limit_s: float | None = None, wait: bool = False) -> Any:
        """Return the expression's value, None when it throws. A page that leaves for another is asked again there."""
        params = {"expression": expression, "returnByValue": True, "awaitPromise": wait}
        attempts = 0
        while True:
            try:
                answer = await self.send("Runtime.evaluate", limit_s, **params)
                return answer["result"].get("value")
            except CdpError as error:
                attempts += 1
                if attempts == EVALUATE_ATTEMPTS or not any(text in str(error) for text in NAVIGATED):
                    raise

    async def prepare(self, metrics: dict[str, Any], begin_frame: bool) -> None:
        """Sends the set-up all at once: Chromium handles a session's calls in order."""
        self._begin_frame = begin_frame
        calls = [
            *(self.send(f"{domain}.enable") for domain in ("Page", "Runtime", "Network", "Log", "Inspector")),
            self.send("Network.setBypassServiceWorker", bypass=True),
            self.send("Emulation.setFocusEmulationEnabled", enabled=True),
            self.send("Emulation.setDeviceMetricsOverride", **metrics),
            self.send("Target.setAutoAttach", **AUTO_ATTACH),
            self.race(self.root.send("Target.setAutoAttach", SHARED_WORKERS), self.spec.step_limit_s, "opening"),
        ]
        if begin_frame:
            calls.append(self.send("HeadlessExperimental.enable"))
        calls.append(self.send("Page.addScriptToEvaluateOnNewDocument", source=COLOR_JS))
        if self.spec.seed is not None:
            calls.append(self.send("Page.addScriptToEvaluateOnNewDocument", source=self._seeded))
        if self.spec.blocked_urls:
            calls.append(self.send("Network.setBlockedURLs", urls=list(self.spec.blocked_urls)))
        if self.spec.transparent:
            calls.append(self.clear_background())
        await asyncio.gather(*calls)
        await emulate_visitor(self)

    @property
    def _seeded(self) -> str:
        return SEED_JS.replace("SEED", str(self.spec.seed))

    async def clear_background(self) -> dict[str, Any]:
        color = {"r": 0, "g": 0, "b": 0, "a": 0}
        return await self.send("Emulation.setDefaultBackgroundColorOverride", color=color)

    async def resize(self, width: int, height: int) -> None:
        """Give the page another viewport, in CSS pixels. It answers nothing before it has drawn a frame in it."""
        spec = replace(self.spec, width=width, height=height, outputs=())
        pixels = spec.pixel_size if self._begin_frame else (width, height)
        info = await self.send("Target.getTargetInfo")
        window = await self.root.send("Browser.getWindowForTarget", {"targetId": info["targetInfo"]["targetId"]})
        bounds = {"width": pixels[0], "height": pixels[1]}
        await self.root.send("Browser.setWindowBounds", {"windowId": window["windowId"], "bounds": bounds})
        metrics = _metrics(spec, self._begin_frame)
        self.cdp.send("Emulation.setDeviceMetricsOverride", metrics).add_done_callback(look_away)

    async def screenshot(self, **options: Any) -> bytes:
        """An ordinary screenshot (not on a begin-frame page: it would wait for a frame for ever)."""
        return base64.b64decode((await self.send("Page.captureScreenshot", **options))["data"])

    async def close(self) -> bool:
        """True when the context is gone within the limit; also when the page is wedged."""
        self.condemn(_lost())
        self.cdp.connection.forget(self.cdp.id)
        self.root.off("Target.attachedToTarget", self._shared_worker)
        if self.passage is not None:
            self.passage.close()
        try:
            disposing = self.root.send("Target.disposeBrowserContext", {"browserContextId": self.context})
            await asyncio.wait_for(disposing, CLOSE_LIMIT_S)
        except (CdpError, TimeoutError):  # a lost browser has closed its pages too
            return False
        return True

    def _attached(self, event: dict[str, Any]) -> None:
        """Follow a worker or a frame, and what it starts in turn, from its first request on."""
        target, session = event["targetInfo"], Session(self.cdp.connection, event["sessionId"])
        if target["type"] in ("worker", "shared_worker"):
            self.workers[session.id] = session
            self.network.worker_started(target)
        self.network.listen(session)
        self.images.listen(session)
        session.on(
            "Target.attachedToTarget", self._attached_to_worker if session.id in self.workers else self._attached
        )
        session.on("Target.detachedFromTarget", self._detached)
        if self.spec.seed is not None and target["type"] != "iframe":
            session.send("Runtime.evaluate", {"expression": self._seeded}).add_done_callback(look_away)
        for method, params in FOLLOW.items():
            session.send(method, params).add_done_callback(look_away)

    def _attached_to_worker(self, event: dict[str, Any]) -> None:
        self.has_shared_or_nested_workers = True
        self._attached(event)

    def _shared_worker(self, event: dict[str, Any]) -> None:
        """Shared workers belong to no page: the browser reports those of all its contexts."""
        if event["targetInfo"].get("browserContextId") == self.context:
            self.has_shared_or_nested_workers = True
            self._attached(event)

    def _detached(self, event: dict[str, Any]) -> None:
        self.workers.pop(event["sessionId"], None)
        self.cdp.connection.forget(event["sessionId"])


async def emulate_visitor(tab: Tab) -> None:
    """Set what the page will see of its visitor, before it is opened. Raises CaptureError BAD_SPEC."""
    page = tab.spec.page
    calls: list[tuple[str, dict[str, Any]]] = []
    if page.user_agent or page.locale:
        agent = page.user_agent or (await tab.root.send("Browser.getVersion"))["userAgent"]
        language = {"acceptLanguage": page.locale} if page.locale else {}
        calls.append(("Emulation.setUserAgentOverride", {"userAgent": agent, **language}))
    if page.locale:
        calls.append(("Emulation.setLocaleOverride", {"locale": page.locale}))
    if page.timezone:
        calls.append(("Emulation.setTimezoneOverride", {"timezoneId": page.timezone}))
    if page.color_scheme:
        feature = {"name": "prefers-color-scheme", "value": page.color_scheme}
        calls.append(("Emulation.setEmulatedMedia", {"features": [feature]}))
    if page.headers:
        calls.append(("Network.setExtraHTTPHeaders", {"headers": dict(page.headers)}))
    if page.cookies:
        cookies = [{"name": name, "value": value, "url": tab.spec.url} for name, value in page.cookies]
        calls.append(("Network.setCookies", {"cookies": cookies}))
    try:
        for method, params in calls:
            await tab.send(method, **params)
    except CdpError as error:
        raise CaptureError(
            ErrorCode.BAD_SPEC, f"The browser does not accept an option of the page: {error}."
        ) from None


def _lost() -> CaptureError:
    return CaptureError(ErrorCode.BROWSER_LOST, "The page was closed.")


def look_away(task: asyncio.Future[Any]) -> None:
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
        root.send("Target.disposeBrowserContext", {"browserContextId": context}).add_done_callback(look_away)
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
