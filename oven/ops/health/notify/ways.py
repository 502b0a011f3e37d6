"""The ways in which people are notified: a webhook, mail and pings. Each call is one try with a time limit."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from oven.egress import signing
from oven.egress.client import Door, FetchError, Reply, background, get, post
from oven.ops.health.models import Notice

SEND_S = 10.0  # a receiver has so long to answer
PATIENCE_S = SEND_S + 5.0  # look-ups of names are not bounded by the client
SUBJECT_CHARS = 150
PROBLEM_CHARS = 300

Signal = Literal["", "start", "fail", "log"]


class NotSent(Exception):
    """The receiver did not take it; the message says why. `retry_after_s` is what the receiver asked for."""

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Message:
    """What is said about one change of an alert. `at` is an ISO time."""

    code: str
    level: str
    change: str
    text: str
    message_id: str
    at: str

    @classmethod
    def of(cls, notice: Notice) -> Message:
        at = notice.at.isoformat(timespec="seconds")
        return cls(notice.code, notice.level, notice.change, notice.text, notice.message_id, at)

    @property
    def sentence(self) -> str:
        if self.change == Notice.Change.OVER:
            return f"Over: {self.text}"
        return f"{'Bad' if self.level == 'bad' else 'Warning'}: {self.text}"


def configured() -> list[Notice.Way]:
    """Return the ways in which changes of alerts are sent."""
    ways = {Notice.Way.WEBHOOK: settings.OVEN_ALERT_WEBHOOK, Notice.Way.MAIL: settings.OVEN_ALERT_MAIL_TO}
    return [way for way, setting in ways.items() if setting]


def host() -> str:
    return urlsplit(settings.OVEN_PUBLIC_URL).netloc or platform.node()


def door_of(url: str) -> Door:
    """Return the bounds of a request to a configured address, which is trusted also within a private network."""
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    return Door(
        origins=(origin,), max_bytes=64 << 10, connect_s=SEND_S / 2, idle_s=SEND_S, total_s=SEND_S, redirects=0
    )


# --- webhook --------------------------------------------------------------------------------------------------------


def webhook(message: Message) -> Future[Reply]:
    """Post a change to OVEN_ALERT_WEBHOOK. `settled` says how it went."""
    text = f"{message.sentence} ({host()})"
    payload = {
        "code": message.code,
        "level": message.level,
        "state": message.change,
        "text": text,  # Slack
        "content": text,  # Discord
        "host": host(),
        "url": settings.OVEN_PUBLIC_URL,
        "at": message.at,
    }
    body = json.dumps(payload).encode()
    headers = {"Content-Type": "application/json", "webhook-id": message.message_id}
    if settings.OVEN_ALERT_WEBHOOK_KEY:
        keys = [signing.decoded(settings.OVEN_ALERT_WEBHOOK_KEY, "OVEN_ALERT_WEBHOOK_KEY")]
        headers |= signing.headers(message.message_id, int(time.time()), body, keys)
    url = settings.OVEN_ALERT_WEBHOOK
    return background(post(url, body, headers, door_of(url)))


def settled(request: Future[Reply]) -> None:
    """Wait for a request. Raises NotSent."""
    try:
        reply = request.result(PATIENCE_S)
    except FetchError as error:
        raise NotSent(error.message) from None
    except TimeoutError:
        request.cancel()
        raise NotSent(f"It took longer than {PATIENCE_S:g} s.") from None
    if not 200 <= reply.status < 300:
        raise NotSent(f"It answered HTTP {reply.status}.", reply.retry_after_s or 0.0)


# --- mail -----------------------------------------------------------------------------------------------------------


def mail(messages: Sequence[Message]) -> None:
    """Send one mail about one or several changes. Raises NotSent."""
    first = messages[0]
    about = first.sentence if len(messages) == 1 else f"{len(messages)} changes of alerts"
    subject = " ".join(f"[Oven {host()}] {about}".split())[:SUBJECT_CHARS]
    lines = [f"{message.at}  {message.code}\n{message.sentence}\n" for message in messages]
    more = f"{settings.OVEN_PUBLIC_URL}/live/alerts" if settings.OVEN_PUBLIC_URL else "docs/operations.md"
    email = EmailMessage(
        subject=subject,
        body="\n".join([*lines, f"What each alert means, and what to do: {more}", ""]),
        from_email=settings.OVEN_ALERT_MAIL_FROM,
        to=settings.OVEN_ALERT_MAIL_TO,
        headers={"Message-ID": f"<{first.message_id}@oven>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(),
    )
    try:
        email.send()
    except (OSError, ValueError) as error:  # smtplib's errors are OSErrors
        raise NotSent(f"The mail server did not take it: {error}") from None


# --- pings ----------------------------------------------------------------------------------------------------------


def ping(url: str, signal: Signal = "", body: str = "") -> None:
    """Ping a check, in the manner of healthchecks.io: its address is a success. Raises NotSent."""
    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/{signal}" if signal else parts.path
    address = urlunsplit(parts._replace(path=path))
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    if body:
        settled(background(post(address, body.encode(), headers, door_of(url))))
    else:
        settled(background(get(address, {}, door_of(url))))


# --- a test of all --------------------------------------------------------------------------------------------------


def try_all() -> Iterator[tuple[str, str]]:
    """Send a test in every configured way; yields each way's setting, and the problem (empty: it worked)."""
    message = Message("test", "warn", "raised", "This is a test of alerts.", f"msg_test_{time.time_ns()}", _now())
    calls: dict[str, Callable[[], None]] = {
        "OVEN_ALERT_WEBHOOK": lambda: settled(webhook(message)),
        "OVEN_ALERT_MAIL_TO": lambda: mail([message]),
        "OVEN_PING_URL": lambda: ping(settings.OVEN_PING_URL),
        "OVEN_PING_BACKUP_URL": lambda: ping(settings.OVEN_PING_BACKUP_URL, "log", "A test; no backup was taken."),
    }
    for setting, call in calls.items():
        if not getattr(settings, setting):
            continue
        try:
            call()
        except NotSent as problem:
            yield setting, str(problem)
        else:
            yield setting, ""


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
