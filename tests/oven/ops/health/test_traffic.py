"""The HTTP answers of the last five minutes, from counters that only grow."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import get_resolver

from oven.ops.health import alerts, traffic
from oven.ops.health.traffic import Sums
from oven.ops.metrics import counters
from tests.oven.accounts.test_matrix import API, patterns

pytestmark = pytest.mark.django_db
START = 1_000_000.0


def answers(count: int, status: int = 200, seconds: float = 0.1, route: str = "/status", method: str = "GET") -> None:
    for _ in range(count):
        counters.count("oven_http_requests", method, route, str(status))
        counters.observe("oven_http_request_seconds", seconds, method, route)
    counters.flush()


@pytest.fixture(autouse=True)
def _counted(valkey: Any) -> None:
    """Many answers of long ago, all of them bad."""
    answers(100, 500, 60.0)
    traffic.recent(START)


def test_only_the_last_minutes_count() -> None:
    answers(10, 500, 11.0)
    answers(5)
    assert traffic.recent(START + 100) == Sums(answers=15, errors=10, timed=15, slow=10)
    answers(1)
    assert traffic.recent(START + 300) == Sums(16, 10, 16, 10)
    assert traffic.recent(START + 401) == Sums(1, 0, 1, 0)
    assert traffic.recent(START + 701) == Sums()


def test_a_new_scheduler_goes_on_where_the_last_one_was(valkey: Any) -> None:
    answers(10, 500)
    assert valkey.ttl(traffic.KEY) > 0
    assert traffic.recent(START + 60).errors == 10  # nothing is kept in the process


def test_probes_and_routes_that_wait_for_a_job_are_left_out() -> None:
    answers(10, 503, 60.0, route="/ready")
    answers(10, 504, 90.0, route="/grab", method="POST")
    assert traffic.recent(START + 60) == Sums(answers=10, errors=10, timed=0, slow=0)


@pytest.mark.parametrize("wipe", [["flushall"], ["delete", counters.KEY + "oven_http_requests"]])
def test_counters_that_were_set_back_are_no_answers(valkey: Any, wipe: list[str]) -> None:
    getattr(valkey, wipe[0])(*wipe[1:])
    answers(3, 500)
    assert traffic.recent(START + 60) == Sums()
    answers(4, 500)
    assert traffic.recent(START + 120).errors == 4


def test_without_redis_there_is_nothing_to_say(no_redis: None) -> None:
    assert traffic.recent(START) == Sums()


@pytest.mark.parametrize(
    ("bad", "good", "slow", "codes"),
    [
        (1, 99, 0, []),
        (2, 98, 0, ["http_errors"]),
        (49, 0, 0, []),
        (0, 95, 5, []),
        (0, 94, 6, ["http_slow"]),
        (0, 0, 49, []),
    ],
)
def test_when_it_is_an_alert(
    bad: int, good: int, slow: int, codes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(bad, 500)
    answers(good)
    answers(slow, 200, 11.0)
    monkeypatch.setattr(traffic.time, "time", lambda: START + 60)
    found = alerts.http()
    assert [alert["code"] for alert in found] == codes
    assert "-" not in "".join(alert["text"] for alert in found)


# --- which routes wait ----------------------------------------------------------------------------------------------


def test_every_route_that_can_wait_too_long_is_named() -> None:
    """Those that answer 504 where no worker is: see the matrix of all routes."""
    late = {path for (_, path), doors in API.items() if any(door.served == 504 for door in doors)}
    assert late
    assert {path.replace("{", "<").replace("}", ">") for path in late} <= {
        route.replace("<path:", "<") for route in traffic.waiting_routes()
    }


def test_every_route_that_is_named_exists() -> None:
    known = {f"/{pattern}" for pattern in patterns(get_resolver())}
    assert traffic.waiting_routes() | traffic.PROBES <= known
