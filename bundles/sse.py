"""The event stream of a bundle, as its callers' hand-written parser wants it.

Each event is an `event:` line, one `data:` line and a blank line, with one space after each colon. No comments: the
parser would take them for events. While nothing happens the last step is said again, so that no proxy gives up.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from bundles.models import Bundle
from bundles.services import Asked
from oven.errors import Unavailable
from oven.jobs.await_job import follow
from oven.jobs.states import ENDED, State
from oven.jobs.waiters import waiting_for

HEADERS = {"Cache-Control": "no-cache", "Connection": "keep-alive", "X-Accel-Buffering": "no"}
AGAIN_EVERY_S = 10.0
Content = Callable[[dict[str, Any], Bundle], AsyncIterator[bytes]]


def event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


async def refusal(message: str) -> AsyncIterator[bytes]:
    yield event("error", {"error": message})


async def events(asked: Asked, limit_s: float, content: Content) -> AsyncIterator[bytes]:
    """Progress until the bundle has ended, then `complete` with the whole file, or `error`."""
    bundle: Bundle | None = asked.bundle
    if asked.cached:
        yield event("progress", {"stage": "cache-hit", "message": "It has been bundled before"})
    else:
        yield event("progress", {"stage": "init", "message": f"Bundling {asked.bundle.piece}"})
        bundle = None
        async with waiting_for(asked.bundle), aclosing(_steps(asked.bundle, limit_s)) as steps:
            try:
                async for step in steps:
                    if isinstance(step, bytes):
                        yield step
                    else:
                        bundle = step
            except Unavailable as problem:
                yield event("error", {"error": problem.message})
                return
    if bundle is None:
        yield event("error", {"error": f"The bundle is not ready after {limit_s:g} s; it goes on."})
    elif bundle.state != State.COMPLETE:
        yield event(
            "error", {"error": bundle.error_message or "The bundle was cancelled.", "code": bundle.error_code}
        )
    else:
        bundle = await Bundle.objects.select_related("artifact").aget(pk=bundle.pk)
        yield b"event: complete\ndata: "
        async for piece in content({"filename": bundle.filename, "sizeKB": bundle.size_kb}, bundle):
            yield piece
        yield b"\n\n"


async def _steps(bundle: Bundle, limit_s: float) -> AsyncGenerator[bytes | Bundle, None]:
    """Progress events, and at last the ended row."""
    last, said = b"", asyncio.get_running_loop().time()
    async with aclosing(follow(bundle, limit_s)) as news:
        async for happened, row in news:
            now = asyncio.get_running_loop().time()
            if row is not None and row.state in ENDED:
                yield row
                return
            if happened is not None and happened["type"] == "job.progress":
                job = happened["job"]
                step = event("progress", {"stage": job["stage"], "message": job["detail"]})
                if step != last:
                    last, said = step, now
                    yield step
            elif last and now - said > AGAIN_EVERY_S:
                said = now
                yield last
