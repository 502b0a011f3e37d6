from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as site
from django.db import OperationalError, connection

from oven import redis
from oven.jobs import worker_heartbeat
from oven.ops.health import probes
from oven.ops.health.probes import Check, Readiness
from oven.ttl_cache import Kept
from tests.support import request

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from the test before, nor for the next."""
    monkeypatch.setattr(probes, "ready", Readiness())
    monkeypatch.setattr(probes, "pressed", Kept(probes._pressed, probes.LOOK_S))


class Clock:
    """Stands still until it is told to move."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(probes, "time", clock)
    return clock


@pytest.fixture
def workers(valkey: Any) -> None:
    """One of every pool."""
    for number, pool in enumerate(site.POOLS):
        worker_heartbeat.Presence(f"host:{number}:1", [f"{pool}.now"]).renew()


def test_a_process_that_answers_is_live(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert request("GET", "/live").json == {"ok": True}
    assert request("GET", "/LIVE/").status == 200


def test_ready_when_all_is_there(workers: None) -> None:
    answer = request("GET", "/ready")
    assert answer.status == 200, answer.json
    assert answer.json["ok"] is True
    assert set(answer.json["checks"]) == {
        "database",
        "redis",
        "migrations",
        "capture_workers",
        "bake_workers",
        "deliver_workers",
        "bundle_workers",
        "browser",
        "browser_sandbox",
    }
    assert answer.json["checks"]["bake_workers"] == {"ok": True, "detail": "1 alive."}


def test_a_sandbox_that_is_off_is_said_and_keeps_nobody_out(workers: None, valkey: Any) -> None:
    assert probes.checks()["browser_sandbox"] == Check(True, "No browser is running.")
    valkey.hset(worker_heartbeat.key("host:0:1"), "sandbox", "on")
    assert probes.checks()["browser_sandbox"] == Check(True, "On.")
    valkey.hset(worker_heartbeat.key("host:1:1"), "sandbox", "off")
    assert request("GET", "/ready").json["checks"]["browser_sandbox"] == {
        "ok": True,
        "detail": "Off in 1 of 2 browsers.",
    }


def test_not_ready_while_no_worker_can_start_its_browser(workers: None, valkey: Any, settings: Any) -> None:
    assert probes.checks()["browser"] == Check(True, "No capture worker has one.")
    valkey.hset(worker_heartbeat.key("host:0:1"), "browser", "broken")
    answer = request("GET", "/ready")
    assert (answer.status, answer.json["error"]) == (503, "Not ready: browser.")
    assert answer.json["checks"]["browser"]["detail"] == "It does not start in 1 of 1 capture workers."
    valkey.hset(worker_heartbeat.key("host:1:1"), "browser", "ok")  # another one can work
    assert probes.checks()["browser"] == Check(True, "It does not start in 1 of 2 capture workers.")
    valkey.hset(worker_heartbeat.key("host:1:1"), "browser", "broken")
    settings.OVEN_READY_POOLS = ["bake"]
    assert probes.checks()["browser"].ok
    valkey.hset(worker_heartbeat.key("host:0:1"), "browser", "ok")
    valkey.hset(worker_heartbeat.key("host:1:1"), "browser", "ok")
    assert probes.checks()["browser"] == Check(True, "It starts.")


def test_not_ready_without_a_worker_of_each_pool(workers: None, valkey: Any) -> None:
    valkey.delete(worker_heartbeat.key("host:0:1"))  # capture
    answer = request("GET", "/ready")
    assert answer.status == 503
    assert (answer.json["ok"], answer.json["error"]) == (False, "Not ready: capture_workers.")


def test_only_the_pools_that_are_wanted_count(workers: None, valkey: Any, settings: Any) -> None:
    valkey.delete(worker_heartbeat.key("host:0:1"))
    settings.OVEN_READY_POOLS = ["bake"]
    assert request("GET", "/ready").status == 200


def test_migrations_that_are_missing_make_it_not_ready(workers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_migrated", False)
    with connection.cursor() as cursor:
        cursor.execute("delete from django_migrations where app = 'health' and name = '0003_faults'")
    assert probes.checks()["migrations"] == Check(False, "1 are not applied.")


def test_anonymous_callers_learn_no_hosts_paths_or_exceptions(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise OperationalError("could not connect to db.internal")

    settings.REDIS_URL = "unix:///secret/place/valkey.sock"
    redis._forget()
    monkeypatch.setattr(connection, "cursor", broken)
    monkeypatch.setattr(probes, "_migrated", True)
    try:
        answer = request("GET", "/ready")
    finally:
        redis._forget()
    assert answer.status == 503
    assert (
        answer.json["checks"]["redis"]
        == answer.json["checks"]["database"]
        == {"ok": False, "detail": "It does not answer."}
    )
    assert b"secret" not in answer.body and b"internal" not in answer.body


# --- blips ----------------------------------------------------------------------------------------------------------


def test_it_takes_two_bad_looks_in_a_row(clock: Clock) -> None:
    looks: list[bool] = []
    ready = Readiness(look=lambda: {"redis": Check(looks.pop(0), "")})

    def after(seconds: float, *then: bool) -> bool:
        clock.now += seconds
        looks.extend(then)
        return ready()[0]

    assert after(0, True)
    assert after(2, False)  # a blip
    assert after(1)  # the same look
    assert after(2, True)
    assert after(2, False)
    assert not after(2, False)
    assert not after(2, False)
    assert after(2, True)
    assert looks == []


def test_who_was_never_ready_is_not(clock: Clock) -> None:
    ready = Readiness(look=lambda: {"redis": Check(False, "")})
    assert [ready()[0], ready()[0]] == [False, False]
    clock.now += 5
    assert not ready()[0]


# --- pressure -------------------------------------------------------------------------------------------------------


def test_pressure_is_a_full_queue(grab: Any, settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING = 2
    grab(piece="a")
    assert request("GET", "/pressure").json == {"ok": True, "reason": ""}
    grab(piece="b")
    assert request("GET", "/pressure").status == 200  # looked at a moment ago
    probes.pressed.forget()
    answer = request("GET", "/pressure")
    assert (answer.status, answer.json["ok"]) == (503, False)
    assert answer.json["reason"] == "The queue is full: 2 grab jobs are waiting (at most 2)."


@pytest.mark.parametrize(("setting", "word"), [("MEMORY", "Memory is"), ("DISK", "The data disk is")])
def test_pressure_is_a_full_memory_or_disk(settings: Any, setting: str, word: str) -> None:
    setattr(settings, f"OVEN_ALERT_{setting}_PERCENT", 0)
    answer = request("GET", "/pressure")
    assert answer.status == 503
    assert answer.json["reason"].startswith(word)
    assert str(site.OVEN_DATA) not in answer.json["reason"]
