"""Modes `realtime` and `still`: for pages that no clock of ours can drive."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import deque
from typing import Any, ClassVar

from captures.engine.pace.base import Pacer, navigate
from captures.engine.spec import Mode
from captures.engine.tab import Tab

LATENESS_S = 0.05  # a screencast frame arrives this much after it was drawn


class _LivePacer(Pacer):
    begin_frame: ClassVar[bool] = False
    _started = 0.0

    async def goto(self) -> None:
        await navigate(self.tab)
        self._started = time.monotonic()

    async def live(self, ms: float, shot: dict[str, Any] | None = None) -> tuple[float, bytes | None]:
        await asyncio.sleep(ms / 1000)
        picture = await self.picture(**shot) if shot else None
        return (time.monotonic() - self._started) * 1000, picture

    async def picture(self, **shot: object) -> bytes | None:
        return await self.tab.screenshot(**shot)


class RealtimePacer(_LivePacer):
    """A screencast, resampled to the frame grid by the time each picture was drawn at. Never exact."""

    mode: ClassVar[Mode] = Mode.REALTIME

    def __init__(self, tab: Tab) -> None:
        super().__init__(tab)
        self._frames: deque[tuple[float, bytes]] = deque()
        self._held = 0.0
        self._current: bytes | None = None
        self._acks: set[asyncio.Future[Any]] = set()

    async def hold(self) -> None:
        self._current = await self.picture(**self.spec.shot)
        self.tab.cdp.on("Page.screencastFrame", self._received)
        width, height = self.spec.pixel_size
        shot = self.spec.shot
        await self.tab.send(
            "Page.startScreencast",
            format=shot["format"],
            quality=shot.get("quality", 95),
            maxWidth=width,
            maxHeight=height,
            everyNthFrame=1,
        )
        self._held = time.time()

    async def frame(self, index: int) -> bytes:
        moment = self._held + index / self.spec.fps
        await self.tab.race(self._until(moment + LATENESS_S), self.spec.step_limit_s, "recording")
        while self._frames and self._frames[0][0] <= moment:
            self._current = self._frames.popleft()[1]
        await self.tab.evaluate("1")  # a page that hangs must not pass for one that stands still
        assert self._current is not None
        return self._current

    @staticmethod
    async def _until(moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - time.time()))

    def _received(self, event: dict[str, Any]) -> None:
        self._frames.append((float(event["metadata"]["timestamp"]), base64.b64decode(event["data"])))
        ack = self.tab.cdp.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})
        self._acks.add(ack)
        ack.add_done_callback(self._acks.discard)
        ack.add_done_callback(lambda task: task.cancelled() or task.exception())


class StillPacer(_LivePacer):
    """One picture for all frames."""

    mode: ClassVar[Mode] = Mode.STILL
    _shot: bytes | None = None

    async def hold(self) -> None:
        """Nothing to hold: the first frame is the only one."""

    async def frame(self, index: int) -> bytes:
        if self._shot is None:
            self._shot = await self.picture(**self.spec.shot)
        assert self._shot is not None
        return self._shot
