"""Interact with a page before it is captured, and find and capture the part that is wanted."""

from __future__ import annotations

import asyncio
import io
import json
import math
from dataclasses import dataclass
from typing import Any

from PIL import Image

from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.options import KEYS, MAX_HEIGHT
from captures.engine.pace.base import Pacer

STEP_MS = 50.0
SHOT_FRAMES = 40  # frames that a picture beyond the viewport may take
APPEARS = """selector => {
  try { return Boolean(document.querySelector(selector)) } catch { return false }
}"""
FIND = """selector => {
  let found;
  try { found = document.querySelector(selector) } catch { return 'invalid' }
  if (!found) return null;
  found.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
  const { x, y, width, height } = found.getBoundingClientRect();
  return width && height ? [x, y, width, height, scrollX, scrollY] : null;
}"""
SIZE = """(() => {
  const { scrollWidth, scrollHeight } = document.documentElement;
  return [Math.max(innerWidth, scrollWidth), Math.max(scrollHeight, document.body?.scrollHeight ?? 0)];
})()"""


async def interact(pacer: Pacer) -> None:
    """Wait for what `wait_for` names, then click and press keys. Raises CaptureError NO_ELEMENT or BAD_SPEC."""
    page = pacer.spec.page
    if page.wait_for:
        question = f"({APPEARS})({json.dumps(page.wait_for)})"
        await _answered(pacer, "waitFor", page.wait_for, question, f"Boolean({page.wait_for})")
    for selector in page.clicks:
        x, y, width, height, *_ = await _find(pacer, "click", selector)
        await _click(pacer, x + width / 2, y + height / 2)
    for key in page.keys:
        await _press(pacer, key)


async def _find(pacer: Pacer, option: str, selector: str) -> list[float]:
    """Wait for an element. Return its x, y, width and height in the viewport, and how far the page is scrolled."""
    answer = await _answered(pacer, option, selector, f"({FIND})({json.dumps(selector)})")
    if answer == "invalid":
        raise CaptureError(ErrorCode.BAD_SPEC, f"{option}: {selector!r} is not a CSS selector.")
    return list(map(float, answer))


async def _answered(pacer: Pacer, option: str, wanted: str, *questions: str) -> Any:
    """Let the page live until one of the questions has a true answer, and return that."""
    since: float | None = None
    while True:
        for question in questions:
            if answer := await pacer.tab.evaluate(question):
                return answer
        await pacer.settle_network()
        age, _ = await pacer.live(STEP_MS)
        since = age if since is None else since
        if age - since >= pacer.spec.ready_limit_ms:
            limit_s = pacer.spec.ready_limit_ms / 1000
            text = f"{option}: nothing on the page matched {wanted!r} within {limit_s:g} s."
            raise CaptureError(ErrorCode.NO_ELEMENT, text)


async def _click(pacer: Pacer, x: float, y: float) -> None:
    scale = pacer.spec.scale if pacer.begin_frame else 1.0  # under BeginFrame the page is scaled up into its window
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
    """Send input events, and let the page draw: Chromium handles input with a frame."""
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
    """A part of a page, in CSS pixels of the viewport, which is at `scroll_x`, `scroll_y` of the page."""

    x: float
    y: float
    width: int
    height: int
    scroll_x: float = 0
    scroll_y: float = 0
    cut_from: int = 0  # the full height, where that is more than MAX_HEIGHT

    def fits(self, width: int, height: int) -> bool:
        return self.x >= 0 and self.y >= 0 and self.x + self.width <= width and self.y + self.height <= height

    def box(self, scale: float) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in pixels of a frame."""
        left, top = round(self.x * scale), round(self.y * scale)
        return left, top, left + max(1, round(self.width * scale)), top + max(1, round(self.height * scale))


async def find_region(pacer: Pacer) -> Region:
    """Find the part of the page to capture."""
    page = pacer.spec.page
    if page.selector:
        x, y, width, height, scroll_x, scroll_y = await _find(pacer, "selector", page.selector)
        left, top = math.floor(x) - page.padding, math.floor(y) - page.padding
        right, bottom = math.ceil(x + width) + page.padding, math.ceil(y + height) + page.padding
        return _bounded(left, top, right - left, bottom - top, scroll_x, scroll_y)
    width, height = await pacer.tab.evaluate(SIZE)
    return _bounded(0, 0, min(int(width), pacer.spec.width), int(height), 0, 0)


def _bounded(x: float, y: float, width: int, height: int, scroll_x: float, scroll_y: float) -> Region:
    lost_x, lost_y = max(0, round(-x - scroll_x)), max(0, round(-y - scroll_y))  # padding beyond the page's edge
    kept = min(height - lost_y, MAX_HEIGHT)
    cut_from = height if height > MAX_HEIGHT else 0
    return Region(x + lost_x, y + lost_y, min(width - lost_x, MAX_HEIGHT), kept, scroll_x, scroll_y, cut_from)


async def enlarge_viewport(pacer: Pacer, region: Region) -> Region:
    """Make the viewport large enough for the whole region, if it is not. Return where the region is then."""
    spec = pacer.spec
    if region.fits(spec.width, spec.height):
        return region
    right = math.ceil(region.x + region.scroll_x) + region.width
    bottom = math.ceil(region.y + region.scroll_y) + region.height
    await pacer.tab.resize(min(max(spec.width, right), MAX_HEIGHT), min(max(spec.height, bottom), MAX_HEIGHT))
    await pacer.picture(format="jpeg", quality=1)  # it answers nothing before it has drawn a frame in its new size
    await pacer.live(2 * STEP_MS)
    found = await find_region(pacer)
    return found if spec.page.selector else region


async def capture_region(pacer: Pacer, region: Region) -> bytes:
    """Return a region as PNG, also where it is outside the viewport. The page keeps its layout."""
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
