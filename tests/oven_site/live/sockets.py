"""Readers of the two sockets, in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from channels.testing import WebsocketCommunicator
from django.conf import settings

from oven_site.asgi import application


@contextlib.asynccontextmanager
async def socket(path: str, cookie: str = "") -> AsyncIterator[WebsocketCommunicator]:
    headers = [(b"cookie", cookie.encode())] if cookie else []
    communicator = WebsocketCommunicator(application, path, headers=headers)
    accepted, _ = await communicator.connect(5)
    assert accepted
    yield communicator
    await communicator.disconnect()


async def cookie_of(user: Any) -> str:
    from django.test import AsyncClient

    client = AsyncClient()
    await client.aforce_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


async def messages(reader: WebsocketCommunicator, seconds: float) -> list[dict[str, Any]]:
    """Everything that comes within a span."""
    ends, found = time.monotonic() + seconds, []
    while (left := ends - time.monotonic()) > 0:
        try:
            received = await asyncio.wait_for(reader.output_queue.get(), left)
        except TimeoutError:
            break
        found.append(json.loads(received["text"]))
    return found


def states(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in found if "grabs" in message]
