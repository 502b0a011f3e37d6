from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import DatabaseError
from redis.exceptions import RedisError

from oven.events import publisher, stream
from oven.jobs import worker_heartbeat
from oven.ops.health import load, monitor, system_status
from oven.ops.health.models import Minute, RaisedAlert
from tests.support import until

pytestmark = pytest.mark.django_db
WORKER = set(system_status.WorkerView.__annotations__)


def test_a_round_tells_and_keeps_what_the_web_process_answers(
    grab: Any, valkey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(stream, "publish_vitals", sent.append)
    grab()
    monitor.Watch().round()
    (told,) = sent
    assert system_status.current() == told == json.loads(valkey.get(system_status.KEY))
    assert 0 < valkey.ttl(system_status.KEY) <= system_status.KEPT_S
    assert Minute.objects.get().depth == 1


def test_without_a_scheduler_the_web_process_looks_itself(valkey: Any) -> None:
    found = system_status.current()
    assert set(found) == {"workers", "memory", "disk", "alerts"}
    assert set(found["memory"]) == {"usedMB", "totalMB", "percent", "ovenMB"}
    assert set(found["disk"]) == {"usedMB", "totalMB", "percent", "filesMB"}
    assert {
        "name",
        "pool",
        "lanes",
        "job",
        "doing",
        "since",
        "browserAgeS",
        "browserMB",
        "memoryMB",
        "jobs",
        "host",
    } < WORKER


def test_the_event_is_typed(valkey: Any) -> None:
    fields = stream.VitalsEvent.__annotations__
    assert set(fields) == {"type", "seq", "at", "vitals"}
    publisher.flush()


@pytest.mark.django_db(transaction=True)
def test_a_bad_look_is_followed_by_the_next(valkey: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def parts() -> list[load.Part]:
        looks.append(1)
        if len(looks) < 3:
            raise DatabaseError("locked")
        return []

    settings.OVEN_HEALTH_INTERVAL_S = 0.01
    monkeypatch.setattr(load, "parts", parts)
    stop = threading.Event()
    thread = threading.Thread(target=monitor.Watch().run, args=(stop,))
    thread.start()
    try:
        until(lambda: valkey.get(system_status.KEY))
    finally:
        stop.set()
        thread.join(5)
    assert len(looks) >= 3


def test_a_day_of_rounds_asks_the_database_little(valkey: Any, django_assert_max_num_queries: Any) -> None:
    look = monitor.Watch()
    look.round()
    with django_assert_max_num_queries(1):  # what is slow is asked less often
        look.round()


def test_a_look_is_whole_only_when_every_pool_has_a_worker(valkey: Any, settings: Any) -> None:
    look = monitor.Watch()
    look.round()
    assert (look.looks.fresh(look.looks.looked_at), look.looks.fresh(look.looks.whole_at)) == (True, False)
    for number, pool in enumerate(settings.POOLS):
        worker_heartbeat.Presence(f"host:{number}:1", [f"{pool}.now"]).renew()
    look.round()
    assert look.looks.fresh(look.looks.whole_at)


def test_a_look_without_redis_notes_alerts_and_is_not_whole(no_redis: None, settings: Any) -> None:
    settings.OVEN_ALERT_MEMORY_PERCENT, settings.OVEN_READY_POOLS = 0, []
    look = monitor.Watch()
    with pytest.raises(RedisError):
        look.round()
    assert "memory" in RaisedAlert.objects.values_list("code", flat=True)
    assert (look.looks.fresh(look.looks.looked_at), look.looks.fresh(look.looks.whole_at)) == (True, False)
