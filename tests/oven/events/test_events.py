from __future__ import annotations

import asyncio
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from oven import redis
from oven.events import progress, publisher, stream
from oven.jobs import lifecycle
from tests.support import awaited

JOB_KEYS = set(stream.JobView.__annotations__)


class Reader:
    """Collects what a group is sent."""

    async def join(self, group: str = stream.LIVE_GROUP) -> Reader:
        self._layer = get_channel_layer()
        self._channel = await self._layer.new_channel()
        await self._layer.group_add(group, self._channel)
        return self

    async def next(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self._layer.receive(self._channel), 5)
        assert message["type"] == "oven.event"
        return dict(message["event"])

    async def all(self) -> list[dict[str, Any]]:
        """Everything up to a mark of our own."""
        publisher.publish({"type": "mark"}, [stream.LIVE_GROUP])
        found = []
        while (event := await self.next())["type"] != "mark":
            found.append(event)
        return found


@awaited
async def test_every_change_of_a_job_is_an_event(grab: Any) -> None:
    reader = await Reader().join()
    job = await sync_to_async(grab)()
    running = await sync_to_async(lifecycle.claim)("grab", job.pk, "a:1:1")
    await sync_to_async(progress.send)(running, "capturing", 40, "Frame 2 of 6", frames=(2, 6), preview=b"jpeg")
    await sync_to_async(lifecycle.finish)(running, {})
    found = await reader.all()
    assert [event["type"] for event in found] == ["job.started", "job.progress", "job.ended"]
    assert all({"type", "seq", "at", "job"} <= set(event) for event in found)
    assert all(set(event["job"]) == JOB_KEYS for event in found)
    assert [event["job"]["state"] for event in found] == ["running", "running", "complete"]
    assert (found[1]["frames"], found[1]["preview"], found[1]["job"]["percent"]) == ([2, 6], "anBlZw==", 40)


@awaited
async def test_a_committed_job_is_announced(grab: Any, django_capture_on_commit_callbacks: Any) -> None:
    reader = await Reader().join()

    def ask() -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            return grab()

    job = await sync_to_async(ask)()
    [event] = await reader.all()
    assert (event["type"], event["job"]["id"], event["job"]["state"]) == ("job.queued", job.public_id, "queued")


@awaited
async def test_only_the_end_of_a_job_reaches_those_who_wait_for_it(grab: Any) -> None:
    job = await sync_to_async(grab)()
    reader = await Reader().join(stream.job_group("grab", job.pk))
    await sync_to_async(lifecycle.claim)("grab", job.pk, "a:1:1")
    await sync_to_async(lifecycle.finish)(await type(job).objects.aget(), {})
    assert (await reader.next())["type"] == "job.ended"


@awaited
async def test_sequence_numbers_rise_by_one_in_the_order_of_sending(valkey: Any) -> None:
    reader = await Reader().join()
    for number in range(50):
        publisher.publish({"type": "frozen.changed", "piece": str(number)}, [stream.LIVE_GROUP])
    found = await reader.all()
    assert [event["piece"] for event in found] == [str(number) for number in range(50)]
    first = found[0]["seq"]
    assert [event["seq"] for event in found] == list(range(first, first + 50))


@awaited
async def test_frozen_and_log_events_have_their_shapes(valkey: Any) -> None:
    reader = await Reader().join()
    stream.publish_frozen("still")
    stream.log("warn", "careful")
    frozen, log = await reader.all()
    assert set(frozen) == set(stream.FrozenEvent.__annotations__)
    assert set(log) == set(stream.LogEvent.__annotations__)
    assert frozen["piece"] == "still"
    entry = log["entry"]
    assert (entry["type"], entry["icon"], entry["msg"]) == ("warn", "⚠️", "careful")
    assert abs(datetime.fromisoformat(entry["time"]) - datetime.now(UTC)).total_seconds() < 5


@pytest.mark.parametrize("type_", get_args(stream.LogType))
def test_every_log_type_has_an_icon(type_: str) -> None:
    assert stream.ICONS[type_]


def test_a_view_of_a_job_is_plain_json(grab: Any) -> None:
    job = grab(source="keep")
    view = json.loads(json.dumps(stream.job_view(job)))
    assert set(view) == JOB_KEYS
    assert (view["kind"], view["id"], view["lane"], view["source"]) == ("grab", job.public_id, "keep", "keep")
    assert (view["started"], view["ended"], view["facts"]["piece"]) == (None, None, "orbit")
    assert abs(view["created"] - time.time() * 1000) < 10_000


# --- progress and log in Redis --------------------------------------------------------------------------------------


def test_progress_is_read_by_id(grab: Any) -> None:
    job = grab()
    progress.send(job, "capturing", 40, "Frame 2 of 6", frames=(2, 6))
    assert progress.read("grab", [job.public_id, "unknown"]) == {
        job.public_id: {
            "stage": "capturing",
            "percent": 40,
            "detail": "Frame 2 of 6",
            "frames": [2, 6],
            "preview": "",
        }
    }
    assert progress.read("grab", []) == {}


def test_a_preview_stays_until_there_is_a_new_one(grab: Any) -> None:
    job = grab()
    progress.send(job, "capturing", 40, "", preview=b"jpeg")
    progress.send(job, "capturing", 50, "")
    assert progress.read("grab", [job.public_id])[job.public_id]["preview"] == "anBlZw=="


def test_progress_of_a_dead_worker_goes_away_by_itself(grab: Any, valkey: Any) -> None:
    job = grab()
    progress.send(job, "capturing", 40, "")
    assert 0 < valkey.ttl(f"oven:progress:grab:{job.public_id}") <= progress.KEPT_S


def test_progress_is_never_written_to_the_database(grab: Any, django_assert_num_queries: Any) -> None:
    job = grab()
    with django_assert_num_queries(0):
        progress.send(job, "capturing", 40, "")


def test_the_log_is_kept_newest_first_and_has_an_end(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "LOG_KEPT", 100)
    for number in range(publisher.LOG_KEPT + 20):
        stream.log("info", f"line {number}")
    publisher.flush()
    entries = progress.recent_log(2000)
    assert len(entries) == publisher.LOG_KEPT
    assert entries[0]["msg"] == f"line {publisher.LOG_KEPT + 19}"
    assert len(progress.recent_log()) == 50


def test_events_are_dropped_without_fail_when_redis_is_out_of_reach(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "unix:///nonexistent/valkey.sock"
    monkeypatch.setattr(publisher, "_publisher", publisher.Publisher())
    monkeypatch.setattr(redis, "_client", None)
    stream.log("info", "into the void")
    publisher.flush()
    assert progress.recent_log() == []
    assert progress.read("grab", ["orbit-1"]) == {}


def test_progress_waits_a_second_at_most_for_redis_that_hangs(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never answers
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        monkeypatch.setattr(redis, "_client", None)
        pool = ThreadPoolExecutor(1)
        found = pool.submit(progress.recent_log)
        try:
            assert found.result(redis.PATIENCE_S * 5) == []
        finally:
            pool.shutdown(wait=False)  # the socket closes next, which ends a thread that still waits
