"""Receivers of alerts: a real HTTP server and a real mail server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from oven import redis
from tests.site_server import Site
from tests.smtp_server import Mailbox


@pytest.fixture
def receiver(settings: Any) -> Iterator[Site]:
    """Takes webhooks on /hook and pings on /ping, as configured."""
    with Site() as site:
        site.pages["/ping"] = b"ok"
        settings.OVEN_ALERT_WEBHOOK = f"{site.origin}/hook"
        settings.OVEN_PING_URL = f"{site.origin}/ping"
        yield site


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    with Mailbox() as server:
        settings.OVEN_ALERT_MAIL_TO = ["ops@example.com"]
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        yield server


@pytest.fixture
def no_redis(valkey: Any, settings: Any) -> Iterator[None]:
    settings.REDIS_URL = "unix:///nowhere.sock"
    redis._forget()
    yield
    redis._forget()


class Clock:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def on(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()
