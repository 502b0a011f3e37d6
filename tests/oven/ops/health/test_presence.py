from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import django_rq
import pytest

from oven import redis
from oven.events import publisher
from oven.jobs import lifecycle, queue, worker, worker_heartbeat
from oven.jobs.context import JobContext
from oven.ops.health import system_status
from oven.ops.metrics import counters
from tests.support import kind_that_runs, until

QUEUES = ["capture.keep", "capture.now", "capture.batch"]


@pytest.fixture
def me(valkey: Any) -> Iterator[worker_heartbeat.Presence]:
    """This process as a worker that reports when it is told to."""
    yield worker_heartbeat.Presence(worker.identity(), QUEUES)


def view() -> system_status.WorkerView:
    (found,) = system_status.worker_views(system_status.reports())
    return found


def test_a_worker_says_what_it_is_and_what_it_takes(me: worker_heartbeat.Presence) -> None:
    me.renew()
    found = view()
    assert (found["name"], found["pool"], found["lanes"]) == ("capture 1", "capture", ["keep", "now", "batch"])
    assert (found["job"], found["doing"], found["since"], found["jobs"]) == (None, "", None, 0)
    assert (found["browserMB"], found["browserAgeS"]) == (None, None)
    assert found["memoryMB"] > 20


def test_what_it_does_is_there_at_once_and_gone_at_its_end(me: worker_heartbeat.Presence, grab: Any) -> None:
    me.renew()
    job = grab(piece="orbit")
    me.begin(job)
    found = view()
    assert (found["job"], found["kind"]) == (job.public_id, "grab")
    assert found["doing"].startswith("orbit webp 64×64")
    assert found["since"] is not None
    me.end(job)
    assert (view()["job"], view()["jobs"]) == (None, 1)


def test_the_stage_is_that_of_the_jobs_progress(me: worker_heartbeat.Presence, grab: Any) -> None:
    from oven.events import progress

    job = grab(piece="orbit")
    me.renew()
    me.begin(job)
    progress.send(job, "capturing", 40, "Frame 2 of 6")
    assert view()["doing"] == "orbit webp 64×64: Frame 2 of 6"


def test_of_several_at_once_the_first_is_shown(me: worker_heartbeat.Presence, grab: Any) -> None:
    me.renew()
    for piece in ("one", "two", "three"):
        me.begin(grab(piece=piece))
    assert view()["doing"] == "one webp 64×64 and 2 more"


def test_a_report_that_is_not_renewed_is_gone(me: worker_heartbeat.Presence, valkey: Any) -> None:
    me.renew()
    assert 0 < valkey.ttl(worker_heartbeat.key(me.identity)) <= worker_heartbeat.KEPT_S
    valkey.delete(worker_heartbeat.key(me.identity))  # as its expiry does
    assert system_status.reports() == {}
    assert valkey.scard(worker_heartbeat.NAMES_KEY) == 0


def test_a_wiped_redis_is_told_everything_again(me: worker_heartbeat.Presence, grab: Any, valkey: Any) -> None:
    me.renew()
    first, second = grab(piece="one"), grab(piece="two")
    me.begin(first)
    me.end(first)
    me.begin(second)
    valkey.flushall()
    me.renew()
    assert (view()["jobs"], view()["job"]) == (1, second.public_id)


def test_a_redis_that_is_gone_stops_nobody(me: worker_heartbeat.Presence, grab: Any, settings: Any) -> None:
    job = grab(piece="one")
    settings.REDIS_URL = "unix:///nowhere.sock"
    redis._forget()
    try:
        me.renew()
        me.begin(job)
        me.end(job)
        counters.count("oven_jobs", "grab", "complete", "")
        counters.flush()
        assert system_status.build()["workers"] == []
    finally:
        redis._forget()


@dataclass
class Browser:
    pid: int | None
    age_s: float | None
    restarts: int
    sandboxed: bool = True
    broken: bool = False


def test_a_browser_that_cannot_be_started_is_reported(
    me: worker_heartbeat.Presence, valkey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for broken, said in ((True, b"broken"), (False, b"ok")):
        monkeypatch.setattr(worker_heartbeat, "_browser", lambda broken=broken: Browser(None, None, 0, broken=broken))
        me.renew()
        assert valkey.hget(worker_heartbeat.key(me.identity), "browser") == said


def test_a_browsers_memory_is_counted_apart_and_its_restarts_are_counted(
    me: worker_heartbeat.Presence, valkey: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import time; hog = bytearray(60 << 20); print('x', flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline()
    monkeypatch.setattr(worker_heartbeat, "_browser", lambda: Browser(child.pid, 12.6, 2))
    try:
        me.renew()
        found = view()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert 60 <= (found["browserMB"] or 0) < 120
    assert (found["browserAgeS"], found["restarts"]) == (13, 2)
    assert valkey.hget(worker_heartbeat.key(me.identity), "sandbox") in ("on", b"on")
    counters.flush()
    assert counters.read("oven_browser_restarts") == {(): 2}


def test_memory_is_not_measured_again_while_nothing_happens(
    me: worker_heartbeat.Presence, grab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int | None] = []
    monkeypatch.setattr("oven.ops.metrics.machine.worker_memory", lambda pid: (measured.append(pid), (1, None))[1])
    monkeypatch.setattr(worker_heartbeat, "MEASURE_S", 0.0)
    me.renew()
    me.renew()
    assert len(measured) == 1
    me.begin(grab())
    me.renew()
    assert len(measured) == 2


# --- real workers ---------------------------------------------------------------------------------------------------


def told(execution: JobContext) -> None:
    """A runner that keeps what is said of it while it runs."""
    counters.count("oven_callbacks", "of the fork")
    until(system_status.reports)  # a thread makes the first
    redis.client().set("seen", json.dumps([*system_status.worker_views(system_status.reports()), os.getpid()]))
    lifecycle.finish(execution.job, {"capture": 20})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", [worker.ForkWorker, worker.WarmWorker])
def test_a_worker_reports_its_job_whether_it_forks_or_not(kind: Any, grab: Any, valkey: Any) -> None:
    job = grab()
    with kind_that_runs(told):
        lane = django_rq.get_queue("capture.now")
        with worker_heartbeat.shown("before:1:1", QUEUES):
            until(system_status.reports)
        running = kind([lane], connection=queue.connection(), serializer=lane.serializer)
        running.work(burst=True, logging_level="WARNING")
        publisher._publisher._loop = None  # a fork has had its hands on it, as no real worker's would
    found, pid = json.loads(valkey.get("seen"))
    assert (pid == os.getpid()) is (kind is worker.WarmWorker)
    assert (found["job"], found["pool"], found["lanes"]) == (job.public_id, "capture", ["now"])
    assert system_status.reports() == {}  # it has said goodbye
    assert counters.read("oven_jobs") == {("grab", "complete", ""): 1}
    assert counters.read("oven_callbacks") == {("of the fork",): 1}
