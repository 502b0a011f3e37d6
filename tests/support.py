"""What several tests need: async code on the test's own database connection, requests, grabs in any state."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import AsyncClient


def awaited(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An async test whose database work shares the test's connection, and so its transaction."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async_to_sync(test)(*args, **kwargs)

    return run


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    method: str,
    path: str,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    user: Any = None,
    session: str = "",
    csrf: bool = False,
) -> Answer:
    """One request through the whole site, by its ASGI handler.

    `user` is signed in for it; `session` is the key of a session that is there already. `csrf`: forged writes are
    refused, as outside of tests.
    """
    return async_to_sync(arequest)(
        method, path, body=body, headers=headers, query=query, user=user, session=session, csrf=csrf
    )


async def arequest(
    method: str,
    path: str,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    user: Any = None,
    session: str = "",
    csrf: bool = False,
) -> Answer:
    client = AsyncClient(enforce_csrf_checks=csrf)
    if user is not None:
        await client.aforce_login(user)
    if session:
        client.cookies[settings.SESSION_COOKIE_NAME] = session
    data = body if isinstance(body, bytes | str) else b"" if body is None else json.dumps(body)
    response = await client.generic(
        method, path, data, content_type="application/json", headers=headers, query_params=query
    )
    parts = [part async for part in response] if response.streaming else [response.content]
    return Answer(response.status_code, response.headers, b"".join(parts))


def until(true: Callable[[], Any], limit_s: float = 5.0, every_s: float = 0.01) -> Any:
    """Waits for something to become true; returns it. `every_s`: longer for what costs time to look at."""
    deadline = time.monotonic() + limit_s
    while not (value := true()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(every_s)
    return value


def rested(kind: str) -> bool:
    """Return whether no thread works at a job of this kind: a row has ended a little before its thread has."""
    from oven.jobs import registry, worker

    most = registry.get(kind).max_concurrent
    assert most
    return bool(worker._threads(kind, most)[1]._value == most)


def picture(path: Path, data: bytes = b"\x89PNG pretend") -> Path:
    """A finished scratch file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def finished(grab: Any, scratch: Path, **fields: Any) -> Any:
    """Takes a waiting grab to its good end, with a stored file, as a worker would."""
    from datetime import timedelta

    from django.utils import timezone

    from oven.jobs import lifecycle
    from oven.storage import stores

    grab = lifecycle.claim(grab.kind, grab.pk, "test:1:1")
    expires = timezone.now() + timedelta(days=1)
    file = picture(scratch / f"{grab.pk}.{grab.format}")
    artifact = stores.keep(file, f"oven/grabs/{grab}.{grab.format}", "image/png", expires_at=expires)
    return lifecycle.finish(grab, {"queue": 1}, **{"artifact": artifact, "expires_at": expires, **fields})


@contextmanager
def kind_that_runs(run: Callable[[Any], None], name: str = "grab", **fields: Any) -> Iterator[None]:
    """Register a kind of grabs that runs `run(context)` instead of opening a browser."""
    from oven.jobs import registry

    real = registry.get("grab")
    kind = type("Replacement", (type(real),), {"name": name, "run": lambda _, context: run(context), **fields})()
    registry.register(kind)
    try:
        yield
    finally:
        registry.unregister(name)
        registry.register(real)
