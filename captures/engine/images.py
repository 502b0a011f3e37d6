"""Whether a page has animated images. They move only with frames that are displayed."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from captures.engine.cdp import CdpError, Session

MAY_BE_ANIMATED = {"image/gif", "image/png", "image/apng", "image/webp", "image/avif"}
MAX_BYTES = 4 * 1024 * 1024  # of a file that is inspected; one that is larger counts as animated
LIMIT_S = 1.0


class Images:
    """The image files that a page and its frames have loaded."""

    def __init__(self) -> None:
        self.animated = False
        self._loading: set[tuple[str, str]] = set()  # session and request
        self._inspections: set[asyncio.Task[None]] = set()

    def listen(self, session: Session) -> None:
        """Follow the files of a page or a frame whose Network domain is enabled."""

        def received(event: dict[str, Any]) -> None:
            if not self.animated and event["response"].get("mimeType") in MAY_BE_ANIMATED:
                self._loading.add((session.id, event["requestId"]))

        def finished(event: dict[str, Any]) -> None:
            key = (session.id, event["requestId"])
            if key not in self._loading:
                return
            self._loading.discard(key)
            if event.get("encodedDataLength", 0) > MAX_BYTES:
                self.animated = True
            elif not self.animated:
                self._inspections.add(asyncio.create_task(self._inspect(session, event["requestId"])))

        session.on("Network.responseReceived", received)
        session.on("Network.loadingFinished", finished)

    async def settled(self) -> None:
        """Return when every file that has come is known to be animated or not."""
        if self._inspections:
            await asyncio.wait(self._inspections, timeout=LIMIT_S)

    async def _inspect(self, session: Session, request: str) -> None:
        try:
            answer = await session.send("Network.getResponseBody", {"requestId": request})
            data = base64.b64decode(answer["body"]) if answer["base64Encoded"] else answer["body"].encode()
            self.animated = self.animated or is_animated(data)
        except CdpError:
            self.animated = True  # unknown: it is not kept any more
        finally:
            self._inspections.discard(asyncio.current_task())


def is_animated(data: bytes) -> bool:
    """Return whether a GIF, PNG, WebP or AVIF file has more than one picture."""
    if data.startswith(b"GIF8"):
        return data.count(b"\x21\xf9\x04") > 1  # graphic control extensions, one for each picture
    if data.startswith(b"\x89PNG"):
        return b"acTL" in data[: max(0, data.find(b"IDAT"))]
    return b"ANIM" in data[:64] or b"avis" in data[:64]
