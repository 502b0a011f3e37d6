from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import django_rq
import pytest
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from captures.models import Grab
from oven.jobs import lifecycle, queue, registry
from oven.jobs.states import Lane
from oven.jobs.worker import ForkWorker


@pytest.fixture
def no_redis(settings: Any) -> None:
    nowhere = "unix:///nonexistent/valkey.sock"
    settings.RQ_QUEUES = {name: {**options, "URL": nowhere} for name, options in settings.RQ_QUEUES.items()}


def test_messages_are_json_for_queues_and_workers(grab: Any, valkey: Any, settings: Any) -> None:
    job = grab()
    queue.enqueue(job)
    raw = valkey.hget(f"rq:job:{queue.message_id(job)}", "data")
    assert json.loads(zlib.decompress(raw))[-2:] == [["grab", job.pk], {}]
    names = [*(f"{pool}.{lane}" for pool in settings.POOLS for lane in settings.LANES), settings.LIGHT_QUEUE]
    assert all(django_rq.get_queue(name).serializer is JSONSerializer for name in names)
    worker = ForkWorker([django_rq.get_queue("light")], connection=queue.connection("light"))
    assert worker.serializer is JSONSerializer


def test_a_pickled_message_is_not_executed(grab: Any, valkey: Any, tmp_path: Path) -> None:
    job = grab()
    queue.enqueue(job)
    trap = b"cos\nsystem\n(S'touch " + str(tmp_path / "trapped").encode() + b"'\ntR."
    valkey.hset(f"rq:job:{queue.message_id(job)}", "data", zlib.compress(trap))
    carrier = django_rq.get_queue("capture.now")
    SimpleWorker([carrier], connection=carrier.connection, serializer=JSONSerializer).work(burst=True)
    assert not (tmp_path / "trapped").exists()


def test_one_message_for_one_attempt(grab: Any) -> None:
    job = grab()
    assert queue.enqueue(job)
    assert queue.enqueue(job)
    assert queue.under_way(registry.get("grab")) == {f"grab-{job.pk}-0"}


@pytest.mark.parametrize("lane", list(Lane))
def test_each_lane_is_a_queue(grab: Any, lane: Lane) -> None:
    job = grab(lane=lane)
    queue.enqueue(job)
    assert django_rq.get_queue(f"capture.{lane}").get_job_ids() == [queue.message_id(job)]


def test_a_moved_message_is_on_its_new_lane_only(grab: Any) -> None:
    job = grab(lane=Lane.BATCH)
    queue.enqueue(job)
    job.lane = Lane.NOW
    queue.move(job, Lane.BATCH)
    assert django_rq.get_queue("capture.batch").get_job_ids() == []
    assert django_rq.get_queue("capture.now").get_job_ids() == [queue.message_id(job)]


def test_a_queue_out_of_reach_fails_no_caller(
    grab: Any, no_redis: None, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = grab()
    assert Grab.objects.get() == job
    assert queue.enqueue(job) is False
    queue.move(job, Lane.BATCH)
    assert queue.cancel_flagged(job) is False
    running = lifecycle.claim("grab", job.pk, "a:1:1")
    assert running is not None
    assert lifecycle.cancel(running).state == "cancelling"


def test_a_cancel_flag_goes_away_by_itself(grab: Any, valkey: Any) -> None:
    job = grab()
    queue.flag_cancel(job)
    assert queue.cancel_flagged(job)
    assert 0 < valkey.ttl(f"oven:cancel:grab:{job.pk}") <= 120
