"""Options for pages that were not made for Oven: what their visitor is like and does, and which part is captured."""

from __future__ import annotations

import asyncio
import io
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from captures.engine.cdp import CdpError
from captures.engine.errors import CaptureError, ErrorCode

if TYPE_CHECKING:
    from captures.engine.pace.base import Pacer
    from captures.engine.tab import Tab

MOST_HEIGHT = 8192  # CSS pixels of a whole page
STEP_MS = 50.0
SHOT_FRAMES = 40  # frames that a picture beyond the viewport may take
KEYS = {  # name: code and number of the key, and the text that it writes
    "Enter": ("Enter", 13, "\r"),
    "Space": ("Space", 32, " "),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "Backspace": ("Backspace", 8, ""),
    "Delete": ("Delete", 46, ""),
    "Home": ("Home", 36, ""),
    "End": ("End", 35, ""),
    "PageUp": ("PageUp", 33, ""),
    "PageDown": ("PageDown", 34, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}
FIND = """(() => {
  let found;
  try { found = document.querySelector(SELECTOR) } catch { return 'invalid' }
  if (!found) return null;
  found.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
  const { x, y, width, height } = found.getBoundingClientRect();
  return width && height ? [x, y, width, height, scrollX, scrollY] : null;
})()"""
SIZE = """(() => {
  const { scrollWidth, scrollHeight } = document.documentElement;
  return [Math.max(innerWidth, scrollWidth), Math.max(scrollHeight, document.body?.scrollHeight ?? 0)];
})()"""


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What a visitor of the page is like and does, and which part of the page is captured. Sizes are CSS pixels."""

    selector: str = ""  # only the first element that matches
    padding: int = 0  # around it
    full_page: bool = False
    clicks: tuple[str, ...] = ()  # selectors, in this order
    keys: tuple[str, ...] = ()  # pressed after the clicks: one character, or one of KEYS
    wait_for: str = ""  # a selector, or an expression that becomes true
    user_agent: str = ""
    color_scheme: str = ""  # light or dark
    timezone: str = ""  # as Europe/Berlin
    locale: str = ""  # as de-DE
    headers: tuple[tuple[str, str], ...] = ()  # of every request of the page
    cookies: tuple[tuple[str, str], ...] = ()  # of the page's own host

    @property
    def crops(self) -> bool:
        return bool(self.selector or self.full_page)


NO_OPTIONS = PageOptions()


async def introduce(tab: Tab) -> None:
    """Tell the browser about the visitor, before the page is opened. Raises CaptureError BAD_SPEC."""
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


async def act(pacer: Pacer) -> None:
    """Wait for what `wait_for` names, then click and press. Raises CaptureError NO_ELEMENT or BAD_SPEC."""
    page = pacer.spec.page
    if page.wait_for:
        await _appears(pacer, page.wait_for)
    for selector in page.clicks:
        x, y, width, height, *_ = await _found(pacer, "click", selector)
        await _click(pacer, x + width / 2, y + height / 2)
    for key in page.keys:
        await _press(pacer, key)


async def _appears(pacer: Pacer, wanted: str) -> None:
    selector = (
        f"(() => {{ try {{ return !!document.querySelector({json.dumps(wanted)}) }} catch {{ return false }} }})()"
    )
    since = None
    while not (await pacer.tab.evaluate(selector) or await pacer.tab.evaluate(wanted)):
        await pacer.settle_network()
        age, _ = await pacer.live(STEP_MS)
        since = age if since is None else since
        if age - since >= pacer.spec.ready_limit_ms:
            raise _no_element(pacer, "wait_for", wanted, "appeared or became true")


async def _found(pacer: Pacer, option: str, selector: str) -> list[float]:
    """Return an element's x, y, width and height in the viewport, and how far the page is scrolled."""
    question, since = FIND.replace("SELECTOR", json.dumps(selector)), None
    while True:
        answer = await pacer.tab.evaluate(question)
        if answer == "invalid":
            raise CaptureError(ErrorCode.BAD_SPEC, f"{option}: {selector!r} is not a CSS selector.")
        if answer is not None:
            return list(map(float, answer))
        await pacer.settle_network()
        age, _ = await pacer.live(STEP_MS)
        since = age if since is None else since
        if age - since >= pacer.spec.ready_limit_ms:
            raise _no_element(pacer, option, selector, "was there to be seen")


def _no_element(pacer: Pacer, option: str, wanted: str, what: str) -> CaptureError:
    limit_s = pacer.spec.ready_limit_ms / 1000
    return CaptureError(
        ErrorCode.NO_ELEMENT, f"{option}: nothing that matches {wanted!r} {what} within {limit_s:g} s."
    )


async def _click(pacer: Pacer, x: float, y: float) -> None:
    scale = pacer.spec.scale if pacer.begin_frame else 1.0  # there the page is enlarged into its window
    at = {"x": x * scale, "y": y * scale}
    button = {"button": "left", "clickCount": 1}
    events: list[dict[str, Any]] = [
        {"type": "mouseMoved", **at},
        {"type": "mousePressed", **at, **button},
        {"type": "mouseReleased", **at, **button},
    ]
    await _dispatch(pacer, "Input.dispatchMouseEvent", events)


async def _press(pacer: Pacer, key: str) -> None:
    code, number, text = KEYS.get(key, ("", ord(key[0].upper()), key))
    common = {"key": " " if key == "Space" else key, "code": code, "windowsVirtualKeyCode": number}
    down = {"type": "keyDown" if text else "rawKeyDown", **common, **({"text": text} if text else {})}
    await _dispatch(pacer, "Input.dispatchKeyEvent", [down, {"type": "keyUp", **common}])


async def _dispatch(pacer: Pacer, method: str, events: list[dict[str, Any]]) -> None:
    """Send input while the page draws: it is handled with a frame."""
    tab = pacer.tab
    for event in events:
        answer = tab.cdp.send(method, event)
        answer.add_done_callback(lambda found: found.cancelled() or found.exception())
        for _ in range(10):
            await pacer.live(STEP_MS)
            await asyncio.sleep(0)
            if answer.done():
                break
        await tab.race(answer, tab.spec.step_limit_s, "handling input")


# Which part is captured


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a page, in CSS pixels from the corner of the viewport. `scroll_x`, `scroll_y`: where that stands."""

    x: float
    y: float
    width: int
    height: int
    scroll_x: float = 0
    scroll_y: float = 0
    cut_from: int = 0  # the height that the whole would have

    def fits(self, width: int, height: int) -> bool:
        return self.x >= 0 and self.y >= 0 and self.x + self.width <= width and self.y + self.height <= height

    def box(self, scale: float) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in pixels of a frame."""
        left, top = round(self.x * scale), round(self.y * scale)
        return left, top, left + max(1, round(self.width * scale)), top + max(1, round(self.height * scale))


async def region_of(pacer: Pacer) -> Region:
    """Find the part of the page to capture."""
    page = pacer.spec.page
    if page.selector:
        x, y, width, height, scroll_x, scroll_y = await _found(pacer, "selector", page.selector)
        left, top = math.floor(x) - page.padding, math.floor(y) - page.padding
        right, bottom = math.ceil(x + width) + page.padding, math.ceil(y + height) + page.padding
        return _bounded(left, top, right - left, bottom - top, scroll_x, scroll_y)
    width, height = await pacer.tab.evaluate(SIZE)
    return _bounded(0, 0, min(int(width), pacer.spec.width), int(height), 0, 0)


def _bounded(x: float, y: float, width: int, height: int, scroll_x: float, scroll_y: float) -> Region:
    lost_x, lost_y = max(0, round(-x - scroll_x)), max(0, round(-y - scroll_y))  # padding beyond the page's edge
    kept = min(height - lost_y, MOST_HEIGHT)
    cut_from = height if height > MOST_HEIGHT else 0
    return Region(x + lost_x, y + lost_y, min(width - lost_x, MOST_HEIGHT), kept, scroll_x, scroll_y, cut_from)


async def show(pacer: Pacer, region: Region) -> Region:
    """Make the viewport so large that an animation shows the whole region. Return where it lies then."""
    spec = pacer.spec
    if region.fits(spec.width, spec.height):
        return region
    right = math.ceil(region.x + region.scroll_x) + region.width
    bottom = math.ceil(region.y + region.scroll_y) + region.height
    await pacer.tab.resize(min(max(spec.width, right), MOST_HEIGHT), min(max(spec.height, bottom), MOST_HEIGHT))
    await pacer.picture(
        format="jpeg", quality=1
    )  # until it has drawn itself in its new size, it answers nothing else
    await pacer.live(2 * STEP_MS)
    found = await region_of(pacer)
    return found if spec.page.selector else region


async def picture_of(pacer: Pacer, region: Region) -> bytes:
    """Return a region as PNG, also of what lies outside of the viewport: the page's layout stays as it is."""
    clip = {
        "x": region.x + region.scroll_x,
        "y": region.y + region.scroll_y,
        "width": region.width,
        "height": region.height,
        "scale": 1 if pacer.begin_frame else pacer.spec.scale,
    }
    shot = asyncio.ensure_future(pacer.tab.screenshot(captureBeyondViewport=True, clip=clip, format="png"))
    try:
        for _ in range(SHOT_FRAMES):
            if not pacer.begin_frame or shot.done():
                break
            await pacer.picture(format="jpeg", quality=1)
            await asyncio.sleep(0.01)
        return await shot
    finally:
        shot.cancel()


def cropped(frame: bytes, box: tuple[int, int, int, int]) -> bytes:
    """Return a part of a frame, as PNG."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(frame)) as whole:
        whole.crop(box).save(out, "PNG", compress_level=1)
    return out.getvalue()
