"""Readers of the two sockets, in the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
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


async def messages(
    reader: WebsocketCommunicator,
    seconds: float = 5.0,
    until: Callable[[list[dict[str, Any]]], Any] = lambda found: False,
) -> list[dict[str, Any]]:
    """Everything that comes within a span, or before `until` is true of it."""
    ends = time.monotonic() + seconds
    found: list[dict[str, Any]] = []
    while (left := ends - time.monotonic()) > 0 and not until(found):
        try:
            received = await asyncio.wait_for(reader.output_queue.get(), left)
        except TimeoutError:
            break
        found.append(json.loads(received["text"]))
    return found


def lines(found: list[dict[str, Any]]) -> list[str]:
    """The log lines among messages of `/ws`."""
    return [message["logEntry"]["msg"] for message in found if "logEntry" in message]


def typed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of the batches among messages of `/ws/live`."""
    return [event for message in found for event in message.get("events", [])]


def states(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in found if "grabs" in message]
