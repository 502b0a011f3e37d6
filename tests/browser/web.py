"""The web process of an Oven as a thread of the test process: no workers, no scheduler, no supervisor.

It has the interface of `tests.e2e.stack.Stack`, as far as pages need it. What a worker would do, tests do in-process
(see `tests.browser.jobs`).
"""

from __future__ import annotations

import asyncio
import importlib
import io
import itertools
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import httpx
import redis
import structlog
import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from tests.e2e.prepared import EMPTY, prepared
from tests.e2e.stack import HANDED_OUT, free_port
from tests.support import until

_numbers = itertools.count(1)


class Web:
    """A running site on a database of its own, made of the settings of the tests and those that are given.

    `host` is the name by which browsers reach it. Leaving the block stops it and fails when a secret that it handed
    out, or a session, stands in the log.
    """

    until = staticmethod(until)

    def __init__(self, host: str = "127.0.0.1", **given: Any) -> None:
        self.port = free_port()
        self.base = f"http://{host}:{self.port}"
        self.settings = {"OVEN_PUBLIC_URL": self.base, **given}
        self.database = Path(settings.OVEN_DATA) / f"browser-{next(_numbers)}.sqlite3"
        self.http = httpx.Client(base_url=self.base, timeout=60)
        self.cookies: dict[str, str] = {}
        self.secrets: set[str] = {settings.SECRET_KEY}
        self.log = io.StringIO()
        self._server = uvicorn.Server(_options(self.port))
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    def __enter__(self) -> Self:
        importlib.import_module("oven_site.asgi")  # configures logging, which takes handlers away
        self._settings = override_settings(**self.settings)
        self._settings.enable()
        self._before = settings.DATABASES["default"]["NAME"]
        shutil.copy2(prepared() / EMPTY, self.database)
        _use_database(str(self.database))
        self._handler = _keep_log(self.log)
        _forget()
        self._thread.start()
        until(lambda: self._server.started, limit_s=30)
        return self

    def __exit__(self, *_: object) -> None:
        from oven.events import publisher
        from oven.ops.metrics import counters

        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "the web thread does not end"
        publisher.flush()
        counters.flush()
        sessions = [row["session_key"] for row in self.rows("select session_key from django_session")]
        for logger in (logging.getLogger(), logging.getLogger("uvicorn")):
            logger.removeHandler(self._handler)
        _use_database(self._before)
        self._settings.disable()
        known, log = {*self.secrets, *sessions}, self.log.getvalue()
        assert log or not sessions, "nothing is logged: signing in should have been"
        assert [secret[:6] for secret in known if secret in log] == [], "secrets in the log"

    def _serve(self) -> None:
        """Install no signal handlers: the test process has its own."""
        asyncio.run(self._server.serve())

    @cached_property
    def bearer(self) -> dict[str, str]:
        token = self.manage("token", "tests").strip().splitlines()[-1]
        return {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.http.get(path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> httpx.Response:
        return self.http.post(path, json=body, headers={**self.bearer, **kwargs.pop("headers", {})}, **kwargs)

    def manage(self, *args: str) -> str:
        """Run a management command in this process; return what it prints."""
        output = io.StringIO()
        call_command(*args, stdout=output)
        self.secrets.update(HANDED_OUT.findall(output.getvalue()))
        return output.getvalue()

    def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """Read the database behind the service's back."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql, args)]
        finally:
            connection.close()

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(settings.REDIS_URL)


@contextmanager
def orm_in_browser_tests(blocker: Any) -> Iterator[None]:
    """Allow database access in the main thread, where synchronous Playwright keeps an event loop, which Django refuses."""
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    try:
        with blocker.unblock():
            yield
    finally:
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
        else:
            os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = before


def _options(port: int) -> uvicorn.Config:
    """Return what `supervisor.services` starts the web process with."""
    return uvicorn.Config(
        "oven_site.asgi:application",
        port=port,
        lifespan="off",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
        http="oven.http.limits:BoundedProtocol",
        ws_per_message_deflate=False,
        ws_max_size=64 * 1024,
    )


def _use_database(path: str) -> None:
    """Point all connections to another file: they share one dictionary of settings. Those of the web thread end with each request."""
    connections.close_all()
    settings.DATABASES["default"]["NAME"] = connections["default"].settings_dict["NAME"] = path


def _keep_log(output: io.StringIO) -> logging.Handler:
    """Write what the service logs to `output` as well, in the form that it has on its standard error."""
    console = next(
        handler
        for handler in logging.getLogger("uvicorn").handlers
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(console.formatter)
    for logger in (logging.getLogger(), logging.getLogger("uvicorn")):
        logger.addHandler(handler)
    return handler


def _forget() -> None:
    """Clear what Valkey and this process remember of the previous database."""
    from oven.events import permissions, publisher
    from oven.ops.health import system_status
    from oven.ops.metrics import counters

    publisher.flush()
    counters.flush()
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushall()
    permissions.forget()
    system_status.stored_bytes.forget()
