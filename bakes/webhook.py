"""One try to tell the site about a bake. Imported by workers only."""

from __future__ import annotations

import json
import random
import time
from datetime import timedelta
from http import HTTPStatus

from django.conf import settings

from bakes import signing
from bakes.models import Bake, Delivery
from bakes.requests import callback_door, short
from bakes.services import show_again
from oven.egress.client import FetchError, Reply, background, post
from oven.events import stream
from oven.jobs import lifecycle
from oven.jobs.context import Execution
from oven.jobs.states import State
from oven.ops.metrics import counters

JITTER = 0.2
LONGEST_RETRY_AFTER_S = 3600.0


def run(execution: Execution) -> None:
    """Posts the message. The site may report back, and end the bake, before it answers: nothing is held meanwhile."""
    delivery: Delivery = execution.job
    started = time.monotonic()
    try:
        reply = _send(execution, delivery)
    except FetchError as error:
        execution.spans["post"] = round((time.monotonic() - started) * 1000)
        counters.count("oven_callbacks", error.code)
        _again(execution, error.code, f"The site could not be told: {error.message}", error.retry)
    else:
        execution.spans["post"] = round((time.monotonic() - started) * 1000)
        _judge(execution, delivery, reply)
    show_again(Bake.objects.get(pk=delivery.bake_id))


def _send(execution: Execution, delivery: Delivery) -> Reply:
    body = json.dumps({**delivery.payload, "secret": settings.OVEN_CALLBACK_SECRET}).encode()
    headers = {"Content-Type": "application/json", **signing.headers(delivery.message_id, int(time.time()), body)}
    execution.note(f"POST {delivery.url}")
    return execution.wait(background(post(delivery.url, body, headers, callback_door())))


def _judge(execution: Execution, delivery: Delivery, reply: Reply) -> None:
    execution.note(f"HTTP {reply.status}: {short(reply.text)}")
    execution.save_log(evidence={"status": reply.status, "answer": short(reply.text)})
    Delivery.objects.filter(pk=delivery.pk).update(status=reply.status, answer=short(reply.text))
    if 200 <= reply.status < 300:
        counters.count("oven_callbacks", "delivered")
        execution.job = lifecycle.finish(delivery, execution.spans)
        stream.log("success", f"{delivery.bake.code}: the site was told", delivery.bake.public_id)
    elif reply.status == HTTPStatus.GONE:
        counters.count("oven_callbacks", "gone")
        _again(execution, "gone", "The site wants no more of this (HTTP 410).", retry=False)
    else:
        counters.count("oven_callbacks", "http_status")
        message = f"The site answered HTTP {reply.status}."
        _again(execution, "http_status", message, retry=True, at_least_s=reply.retry_after_s or 0.0)


def _again(execution: Execution, code: str, message: str, retry: bool, at_least_s: float = 0.0) -> None:
    delivery: Delivery = execution.job
    delay = retry_delay(delivery.attempt, at_least_s)
    execution.note(message)
    delivery = lifecycle.fail(delivery, code, message, retry, execution.spans, delay)
    execution.job = delivery
    if delivery.state == State.FAILED:
        stream.log(
            "error", f"{delivery.bake.code}: baked, but the site was not told: {message} Replay it in the admin."
        )
    else:
        stream.log(
            "warn",
            f"{delivery.bake.code}: {message} Next try in {delay.total_seconds():.0f} s.",
            delivery.bake.public_id,
        )


def retry_delay(attempt: int, at_least_s: float = 0.0) -> timedelta:
    """Grows with every try, with jitter so that a site that comes back is not hit by all at once."""
    delays = settings.OVEN_CALLBACK_DELAYS_S
    wanted = max(delays[min(attempt, len(delays)) - 1] if delays else 0.0, min(at_least_s, LONGEST_RETRY_AFTER_S))
    return timedelta(seconds=wanted * random.uniform(1, 1 + JITTER))
