"""Structured logs: one line an event, readable on a terminal, JSON elsewhere.

Every line of a web request carries `request_id`, and `user_id` once it is known; every line of a running job carries
`kind`, `job`, `attempt`, `worker`, and the `request_id` that asked for it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog
from django.http import HttpRequest

from oven import redaction
from oven.types import JobInfo

REQUEST_ID = "oven.request_id"  # in a request's META
_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


def _add_user(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Who is signed in, if anybody has looked: a log line asks the database nothing."""
    request = _request.get()
    user = getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)
    if user is not None and user.pk is not None:
        event.setdefault("user_id", user.pk)
    return event


def _of_its_request(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Django's own lines on an answer are written when the request is over: they carry it along."""
    request = event.pop("request", None)
    if isinstance(request, HttpRequest):
        event.setdefault("request_id", request.META.get(REQUEST_ID, ""))
        event["method"], event["path"] = request.method, request.path
    return event


def _in_brief(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What strangers get wrong (a host, a form) is worth a line, and not the way it took through our code."""
    name = str(event.get("logger", ""))
    if name.startswith("django.security") or (name == "django.request" and event.get("status_code", 500) < 500):
        event.pop("exc_info", None)
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    _add_user,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso"),
]
OURS = ("oven", "oven_site", "captures", "pins", "bakes", "bundles", "dashboard", "demo", "supervisor")


def logging_config(format_: str, level: str, secrets: Iterable[str] = ()) -> dict[str, Any]:
    """For Django. `format_`: json, console, or empty for what fits; `level` is that of our own loggers.

    What is in `secrets` appears in no line, nor does what looks like a secret.
    """
    console = format_ == "console" or (not format_ and sys.stderr.isatty())
    renderer: Any = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(default=str)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    redaction.processor(secrets),
                    renderer,
                ],
                "foreign_pre_chain": [
                    *_SHARED,
                    structlog.stdlib.ExtraAdder(),
                    _of_its_request,
                    _in_brief,
                    structlog.processors.format_exc_info,
                ],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": level} for name in OURS},
            "rq": {"level": "WARNING"},
            "uvicorn": {"handlers": ["console"], "level": "WARNING", "propagate": False},  # else in a form of its own
        },
    }


structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)


# --- what lines are about -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def of_request(request: HttpRequest, request_id: str) -> Iterator[None]:
    request.META[REQUEST_ID] = request_id
    token = _request.set(request)
    try:
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            yield
    finally:
        _request.reset(token)


def request_id() -> str:
    """Of the request (or of the job's) that this is done for; empty for none."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


@contextlib.contextmanager
def of_job(job: JobInfo, asked_by: str = "") -> Iterator[None]:
    """`asked_by`: the id of the request that has asked for the job."""
    facts = {"kind": job.kind, "job": job.public_id, "attempt": job.attempt, "worker": job.worker}
    if asked_by:
        facts["request_id"] = asked_by
    with structlog.contextvars.bound_contextvars(**facts):
        yield
