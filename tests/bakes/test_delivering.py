from __future__ import annotations

import base64
import time
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from bakes import webhook
from bakes.models import Bake, Delivery, Site
from oven.jobs import worker
from oven.jobs.models import Attempt
from oven.jobs.reconcile import sweep
from oven.jobs.states import State
from tests.site_server import Handler, hang
from tests.support import rested, until

pytestmark = pytest.mark.django_db(transaction=True)  # messages are sent by threads with connections of their own


def delivered(row: Bake, limit_s: float = 15.0) -> Delivery:
    """Works like the light worker and the scheduler until the message has ended."""

    def ended() -> Delivery | None:
        sweep()
        delivery = row.deliveries.order_by("-id").first()
        assert delivery is not None
        if delivery.active:
            worker.perform("delivery", delivery.pk)
            return None
        return delivery

    delivery: Delivery = until(ended, limit_s, every_s=0.05)
    until(lambda: rested("delivery"))
    return delivery


def tries(delivery: Delivery) -> list[int | None]:
    rows = Attempt.objects.filter(kind="delivery", job_pk=delivery.pk).order_by("number")
    return [row.evidence.get("status") for row in rows]


def site_of(row: Bake) -> str:
    return Bake.objects.get(pk=row.pk).site


def test_it_carries_the_secret_and_a_signature(ended: Any, site: Any) -> None:
    row = ended()
    delivery = delivered(row)
    assert (delivery.state, delivery.status, site_of(row)) == (State.COMPLETE, 200, Site.DONE)
    [received] = site.of(row.code)
    assert received.json == {**delivery.payload, "secret": "shared"}
    assert received.headers["content-type"] == "application/json"
    key = base64.b64encode(b"shared").decode()
    assert Webhook(key).verify(received.body, received.headers)


def test_it_is_tried_until_it_is_accepted_and_every_try_is_listed(ended: Any, site: Any, settings: Any) -> None:
    settings.OVEN_CALLBACK_WAIT_S = 0.5
    site.answers = [500, 503, hang(1.0)]
    row = ended()
    delivery = delivered(row)
    assert (delivery.state, site_of(row)) == (State.COMPLETE, Site.DONE)
    assert tries(delivery) == [500, 503, None, 200]
    assert len({received.headers["webhook-id"] for received in site.of(row.code)}) == 1


def test_a_site_that_wants_no_more_is_left_alone(ended: Any, site: Any) -> None:
    site.answers = [410]
    row = ended()
    delivery = delivered(row)
    assert (delivery.state, delivery.error_code, site_of(row)) == (State.FAILED, "gone", Site.UNDELIVERED)
    assert len(site.of(row.code)) == 1


def test_after_the_last_try_it_is_an_alert(ended: Any, site: Any) -> None:
    site.answers = [500] * 4
    row = ended()
    delivery = delivered(row)
    assert (delivery.state, delivery.attempt, site_of(row)) == (State.FAILED, 4, Site.UNDELIVERED)
    assert Bake.objects.get(pk=row.pk).state == State.COMPLETE


def test_a_redirect_is_no_answer(ended: Any, site: Any) -> None:
    elsewhere = "http://127.0.0.1:9/"
    site.answers = [lambda handler: handler.answer(307, Location=elsewhere)] * 4
    assert delivered(ended()).error_message == "The site answered HTTP 307."


def test_it_goes_to_known_origins_only(ended: Any, site: Any, settings: Any) -> None:
    row = ended()
    settings.OVEN_CALLBACK_ORIGINS = ["https://elsewhere.example"]
    assert delivered(row).error_code == "unknown_origin"
    assert site.received == []


def test_a_site_that_says_when_is_asked_no_sooner(ended: Any, site: Any) -> None:
    site.answers = [lambda handler: handler.answer(429, Retry_After="2")]
    row = ended()
    assert delivered(row).state == State.COMPLETE
    first, second = site.of(row.code)
    assert second.at - first.at >= 2


@pytest.mark.django_db
def test_delays_grow_and_differ(settings: Any) -> None:
    settings.OVEN_CALLBACK_DELAYS_S = [5.0, 30.0]
    seconds = [webhook.retry_delay(attempt).total_seconds() for attempt in (1, 2, 3)]
    assert all(low <= found <= low * 1.2 for low, found in zip((5, 30, 30), seconds, strict=True))
    assert len({webhook.retry_delay(1) for _ in range(5)}) > 1


def test_many_are_under_way_at_once(ended: Any, site: Any) -> None:
    def slow(handler: Handler) -> None:
        time.sleep(0.5)
        handler.answer(200)

    site.answers = [slow] * 8
    rows = [ended(f"tape{number}") for number in range(8)]
    started = time.monotonic()
    for row in rows:
        worker.perform("delivery", row.deliveries.get().pk)
    until(lambda: all(site_of(row) == Site.DONE for row in rows), 10)
    assert time.monotonic() - started < 3  # one after the other: 4 s
