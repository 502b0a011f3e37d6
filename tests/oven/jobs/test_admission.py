"""What may join the queue, and what one anonymous client may have in it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from captures.models import Grab
from captures.services import ask
from oven.accounts import throttles
from oven.jobs import admission, lifecycle
from oven.jobs.admission import ClientLimit, DiskFull, QueueFull
from oven.jobs.states import Lane
from tests.support import request

ONE, OTHER = "client:192.0.2.7", "client:192.0.2.8"


@pytest.fixture(autouse=True)
def _queue(valkey: Any) -> None:
    """Asking needs it."""


def as_(name: str, wish: Any, **options: Any) -> Any:
    with throttles.paid_by(name):
        return ask(wish, **options).grab


# --- the share of one client ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_client_has_only_so_many_jobs_waiting_or_running(wish: Any, settings: Any) -> None:
    settings.OVEN_CLIENT_JOBS = 3
    first, *_ = [as_(ONE, wish(cacheKey=str(number))) for number in range(3)]
    lifecycle.claim("grab", first.pk, "a:1:1")  # what runs counts as well
    with pytest.raises(ClientLimit) as limit:
        as_(ONE, wish(cacheKey="more"))
    assert (limit.value.status, limit.value.message) == (
        429,
        "You have 3 grabs waiting or running; at most 3 are allowed.",
    )
    assert as_(ONE, wish(cacheKey="1")).active  # what is under way already is nothing new
    for name in (OTHER, "token:1", ""):
        assert as_(name, wish(cacheKey=f"of {name}")).active
    lifecycle.finish(Grab.objects.get(pk=first.pk), {})
    assert as_(ONE, wish(cacheKey="more")).active


@pytest.mark.django_db
def test_the_limit_is_429_with_the_time_to_come_again(settings: Any) -> None:
    settings.OVEN_CLIENT_JOBS = 0
    answer = request("GET", "/grab/webp/64/64/orbit")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "30")
    assert "at most 0 are allowed" in answer.json["error"]


@pytest.mark.django_db
def test_anonymous_clients_leave_room_in_the_queue(wish: Any, settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING, settings.OVEN_QUEUE_RESERVED = 6, 2
    for number in range(4):
        as_(f"client:192.0.2.{number}", wish(cacheKey=str(number)))
    with pytest.raises(QueueFull):
        as_(ONE, wish(cacheKey="more"))
    assert as_("token:1", wish(cacheKey="token")).active
    assert as_("", wish(cacheKey="keep"), source="keep").lane == Lane.KEEP
    with pytest.raises(QueueFull):
        as_("", wish(cacheKey="staff"))


@pytest.mark.django_db(transaction=True)
def test_the_ceiling_holds_when_many_ask_at_once(wish: Any, settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING = 5
    start, refused = threading.Barrier(12), []

    def one(number: int) -> None:
        start.wait(10)
        try:
            ask(wish(cacheKey=str(number)))
        except QueueFull:
            refused.append(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (Grab.objects.count(), len(refused)) == (5, 7)


# --- disk and store -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_nothing_new_is_made_for_strangers_on_a_full_disk(wish: Any, settings: Any) -> None:
    settings.OVEN_ALERT_DISK_PERCENT = 0.0
    admission._disk_percent.forget()
    with pytest.raises(DiskFull) as full:
        as_(ONE, wish())
    assert (full.value.status, full.value.retry_after_s) == (503, 600)
    assert as_("token:1", wish()).active


@pytest.mark.django_db
def test_the_files_of_one_client_have_a_quota(wish: Any, settings: Any, grab: Any, tmp_path: Any) -> None:
    from tests.support import finished

    settings.OVEN_CLIENT_MB = 1
    done = finished(as_(ONE, wish()), tmp_path)
    done.artifact.bytes = 1 << 20
    done.artifact.save()
    with pytest.raises(ClientLimit, match="1 MB of files are kept for you; at most 1 MB are allowed"):
        as_(ONE, wish(density=2))
    assert as_(ONE, wish()) == done  # what is cached costs nothing
    assert as_(OTHER, wish(density=2)).active


# --- heavy work -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "fields", "lane"),
    [
        (ONE, {"width": 1000, "height": 1000, "duration": 30_000, "fps": 20}, Lane.HEAVY),
        (ONE, {"width": 512, "height": 512}, Lane.NOW),  # 12 s at 7.5: what a caller gets who says nothing
        (ONE, {"width": 1000, "height": 1000, "format": "png", "duration": 30_000, "fps": 20}, Lane.NOW),
        ("token:1", {"width": 1000, "height": 1000, "duration": 30_000, "fps": 20}, Lane.NOW),
        ("", {"width": 1000, "height": 1000, "duration": 30_000, "fps": 20}, Lane.NOW),
    ],
)
def test_expensive_captures_of_strangers_have_a_lane_of_their_own(
    wish: Any, name: str, fields: Any, lane: Lane
) -> None:
    assert as_(name, wish(**fields)).lane == lane


@pytest.mark.django_db
def test_who_is_known_makes_a_strangers_capture_their_own(wish: Any) -> None:
    heavy = wish(width=1000, height=1000, duration=30_000, fps=20)
    grab = as_(ONE, heavy)
    assert grab.client
    assert as_(OTHER, heavy).client == grab.client
    known = as_("token:1", heavy)
    assert (known.pk, known.client, known.lane) == (grab.pk, "", Lane.NOW)


@pytest.mark.django_db
def test_the_cost_of_captures_is_charged_in_megapixels(wish: Any, settings: Any) -> None:
    from oven.accounts.rates import rate

    settings.OVEN_THROTTLE_COST = rate("1000/10m burst 100")
    dear = {"width": 1000, "height": 1000, "duration": 4000, "fps": 10}  # 40 megapixels
    for number in range(2):
        as_(ONE, wish(cacheKey=str(number), **dear))
    with pytest.raises(throttles.Throttled, match="Too many megapixels of new captures"):
        as_(ONE, wish(cacheKey="more", **dear))
    assert as_(ONE, wish(cacheKey="small")).active
    assert as_(OTHER, wish(cacheKey="theirs", **dear)).active


# --- clearing -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_long_queue_is_cleared_in_a_few_transactions(
    wish: Any, people: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        ask(wish(cacheKey=str(number)))
    retried: Any = lifecycle.claim("grab", Grab.objects.earliest("pk").pk, "a:1:1")
    lifecycle.fail(retried, "crashed", "It crashed.", retry=True)
    running = lifecycle.claim("grab", Grab.objects.latest("pk").pk, "a:1:1")
    with django_assert_max_num_queries(40):
        answer = request("POST", "/grab-clear", headers={"Authorization": f"Bearer {people.steering_token}"})
    assert answer.json == {"success": True, "cleared": 1, "queueCleared": 59}
    states = set(Grab.objects.exclude(pk=running.pk if running else 0).values_list("state", flat=True))
    assert states == {"cancelled"}
