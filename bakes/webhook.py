"""What a worker does for a delivery: one attempt to send the site a webhook about a bake."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from bakes import signing
from bakes.models import Bake, Delivery, Site
from bakes.requests import callback_door, short
from bakes.services import show_again
from oven.egress.client import FetchError, Reply, background, post
from oven.events import stream
from oven.jobs import lifecycle
from oven.jobs.context import JobContext
from oven.jobs.runner import JobRunner
from oven.jobs.states import State
from oven.ops.metrics import counters

JITTER = 0.2
LONGEST_RETRY_AFTER_S = 3600.0


class DeliveryRunner(JobRunner):
    """Post the message. The site may report back, and end the bake, before it answers: no row is locked meanwhile."""

    name = "delivery"
    model = Delivery
    pool = "deliver"
    timeout_s = 120
    max_concurrent = 16
    keep_days = 30

    def run(self, context: JobContext) -> None:
        delivery: Delivery = context.job
        try:
            with self.timed(context, "post"):
                reply = self._send(context, delivery)
        except FetchError as error:
            counters.count("oven_callbacks", error.code)
            self._try_again(context, error.code, f"The site could not be told: {error.message}", error.retry)
        else:
            self._judge(context, delivery, reply)
        show_again(Bake.objects.get(pk=delivery.bake_id))

    def retained(self, rows: QuerySet[Any]) -> Iterable[int]:
        """Keep the last message about a bake that the site has not taken: it can still be sent again."""
        later = Delivery.objects.filter(bake=OuterRef("bake"), pk__gt=OuterRef("pk"))
        pending = rows.filter(bake__site__in=(Site.TOLD, Site.UNDELIVERED))
        return pending.exclude(Exists(later)).values_list("pk", flat=True)

    def _send(self, context: JobContext, delivery: Delivery) -> Reply:
        body = json.dumps({**delivery.payload, "secret": settings.OVEN_CALLBACK_SECRET}).encode()
        headers = {"Content-Type": "application/json", **signing.headers(delivery.message_id, int(time.time()), body)}
        context.note(f"POST {delivery.url}")
        return context.wait(background(post(delivery.url, body, headers, callback_door())))

    def _judge(self, context: JobContext, delivery: Delivery, reply: Reply) -> None:
        context.note(f"HTTP {reply.status}: {short(reply.text)}")
        context.save_log(evidence={"status": reply.status, "answer": short(reply.text)})
        Delivery.objects.filter(pk=delivery.pk).update(status=reply.status, answer=short(reply.text))
        if 200 <= reply.status < 300:
            counters.count("oven_callbacks", "delivered")
            context.job = lifecycle.finish(delivery, context.spans)
            stream.log("success", f"{delivery.bake.code}: the site was told", delivery.bake.public_id)
        elif reply.status == HTTPStatus.GONE:
            counters.count("oven_callbacks", "gone")
            self._try_again(context, "gone", "The site wants no more of this (HTTP 410).", retry=False)
        else:
            counters.count("oven_callbacks", "http_status")
            message = f"The site answered HTTP {reply.status}."
            self._try_again(context, "http_status", message, retry=True, at_least_s=reply.retry_after_s or 0.0)

    def _try_again(self, context: JobContext, code: str, message: str, retry: bool, at_least_s: float = 0.0) -> None:
        delay = retry_delay(context.job.attempt, at_least_s)
        delivery: Any = self.fail(context, code, message, retry, delay)
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
