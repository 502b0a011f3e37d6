"""What every way of driving a page offers."""

from __future__ import annotations

import asyncio
import base64
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from captures.engine.cdp import CdpError
from captures.engine.errors import CaptureError, ErrorCode, StepTimeout
from captures.engine.gate import Passage
from captures.engine.spec import CaptureSpec, CaptureWarning, Mode
from captures.engine.tab import DOING, Tab, look_away


class Pacer(ABC):
    """Drives one tab: `goto`, then `live` until ready, `hold`, then `frame(0)`, `frame(1)`..."""

    mode: ClassVar[Mode]
    begin_frame: ClassVar[bool]  # needs a page that draws only when told to

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.spec: CaptureSpec = tab.spec

    @abstractmethod
    async def goto(self) -> None:
        """Navigates; returns when the document has begun to arrive."""

    @abstractmethod
    async def live(self, ms: float, shot: dict[str, Any] | None = None) -> tuple[float, bytes | None]:
        """Let the page live for `ms` of its own time. Return its age in ms since `goto`.

        With `shot` (parameters of a screenshot) also a picture, if it has drawn one by then.
        """

    async def settle_network(self) -> None:
        """Wait until no request is waited for any more, where the page's time can stand meanwhile."""
        return

    @abstractmethod
    async def hold(self) -> None:
        """The page is ready and settled: from here on time moves only by `frame`."""

    @abstractmethod
    async def frame(self, index: int) -> bytes:
        """The picture at `index / fps` seconds after `hold`, as PNG or JPEG bytes. Indexes must rise by one."""

    def warnings(self) -> list[CaptureWarning]:
        """Return what the frames may be off by, once they are made."""
        return []

    @abstractmethod
    async def picture(self, **shot: object) -> bytes | None:
        """A picture of this moment; None when nothing was drawn."""


class BeginFrameMixin:
    """Screenshots on a page under BeginFrame control."""

    tab: Tab

    async def begin_frame_call(self, shot: dict[str, Any] | None, **params: Any) -> bytes | None:
        if shot is not None:
            params["screenshot"] = shot
        method = "HeadlessExperimental.beginFrame"
        frame = self.tab.cdp.send(method, params)
        frame.add_done_callback(look_away)
        while True:
            try:
                answer = await self.tab.race(asyncio.shield(frame), self.tab.spec.step_limit_s, DOING[method])
                break
            except StepTimeout:
                if not await self.tab.is_drawing():
                    raise
        data = answer.get("screenshotData")
        return base64.b64decode(data) if data else None


async def navigate(tab: Tab) -> None:
    """Opens the spec's URL up to the first bytes of the document, and judges its HTTP status.

    Raises CaptureError UNREACHABLE, REDIRECTS or HTTP_STATUS.
    """
    limit = tab.spec.open_limit_s
    try:
        answer = await tab.send("Page.navigate", limit, url=tab.spec.url)
        if "errorText" in answer:
            raise _nothing_to_show(tab, answer) or _navigation_error(answer["errorText"], tab.passage)
        if tab.spec.url.startswith("http"):
            await tab.race(asyncio.shield(tab.evidence.document), limit, "opening the page")
    except StepTimeout:
        raise _untold(tab.passage) or CaptureError(
            ErrorCode.UNREACHABLE, f"The page did not answer within {limit:g} s."
        ) from None
    except CdpError as error:
        raise CaptureError(ErrorCode.UNREACHABLE, f"The page could not be opened ({error}).") from None
    status = tab.evidence.status
    if status is not None and status >= 400:
        raise CaptureError(ErrorCode.HTTP_STATUS, f"The page answered HTTP {status}.")


def _nothing_to_show(tab: Tab, answer: dict[str, Any]) -> CaptureError | None:
    """Return why an answer is not a page, where the server did answer."""
    if tab.evidence.status in (204, 205):
        text = f"The page answered HTTP {tab.evidence.status}, which has no content: there is nothing to show."
        return CaptureError(ErrorCode.HTTP_STATUS, text)
    if answer.get("isDownload") or tab.evidence.downloads:
        kind = tab.evidence.mime_type or "a file"
        return CaptureError(ErrorCode.UNREACHABLE, f"The address is a download ({kind}), and not a page.")
    return None


def _untold(passage: Passage | None) -> CaptureError | None:
    """What Chromium cannot tell, because it knows only its proxy."""
    if passage is None or passage.trouble is None:
        return None
    if passage.trouble.refused:
        return CaptureError(ErrorCode.REFUSED, f"This address cannot be opened: {passage.trouble.message}.")
    return CaptureError(ErrorCode.UNREACHABLE, f"The page could not be opened: {passage.trouble.message}.")


def _navigation_error(text: str, passage: Passage | None) -> CaptureError:
    if "ERR_TOO_MANY_REDIRECTS" in text:
        return CaptureError(ErrorCode.REDIRECTS, "The page redirects for ever.")
    return _untold(passage) or CaptureError(ErrorCode.UNREACHABLE, f"The page could not be opened ({text}).")
