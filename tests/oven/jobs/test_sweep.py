from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from io import StringIO
from typing import Any

import django_rq
import psutil
import pytest
from django.core.management import call_command
from django.utils import timezone
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker

from captures.models import Grab
from oven.jobs import lifecycle, queue, reconcile, registry, worker
from oven.jobs.states import Lane, State
from tests.support import kind_that_runs

KIND = "grab"


@pytest.fixture(autouse=True)
def _runner_is_here() -> Any:
    """The kind's own runner needs a browser: here a grab only looks at the queue."""
    seen.clear()
    with kind_that_runs(look_at_queue):
        yield


seen: list[Any] = []


def look_at_queue(execution: Any) -> None:
    seen.append((queue.message_id(execution.job), queue.under_way(registry.get(KIND)), reconcile.sweep()))
    lifecycle.finish(execution.job, {})


def messages() -> set[str]:
    return queue.under_way(registry.get(KIND))


def settled(*grabs: Grab) -> None:
    """As if they had been asked for a while ago."""
    Grab.objects.filter(pk__in=[grab.pk for grab in grabs]).update(created_at=timezone.now() - timedelta(seconds=5))


def running(grab: Grab, by: str) -> Any:
    job = lifecycle.claim(KIND, grab.pk, by)
    assert job is not None
    return job


@pytest.fixture
def dead_worker() -> str:
    """The identity of a process of this machine that is gone."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = int(psutil.Process(child.pid).create_time())
    child.communicate(b"\n")
    host = worker.identity().split(":")[0]
    return f"{host}:{child.pid}:{started}"


# --- messages -------------------------------------------------------------------------------------------------------


def test_messages_that_were_lost_are_enqueued_again(grab: Any, valkey: Any) -> None:
    jobs = [grab(piece="orbit"), grab(piece="waves")]
    settled(*jobs)
    assert reconcile.sweep().enqueued == 2
    valkey.flushall()
    assert messages() == set()
    assert reconcile.sweep().enqueued == 2
    assert messages() == {queue.message_id(job) for job in jobs}


def test_a_message_that_waits_is_not_doubled(grab: Any) -> None:
    settled(job := grab())
    queue.enqueue(job)
    assert reconcile.sweep().enqueued == 0
    assert django_rq.get_queue("capture.now").get_job_ids() == [queue.message_id(job)]


@pytest.mark.django_db(transaction=True)  # the worker opens the database anew
def test_a_message_that_is_being_worked_on_is_not_doubled(grab: Any) -> None:
    settled(job := grab())
    name = queue.message_id(job)
    queue.enqueue(job)
    carrier = django_rq.get_queue("capture.now")
    SimpleWorker([carrier], connection=carrier.connection, serializer=JSONSerializer).work(burst=True)
    [(_, under_way, swept)] = seen
    assert name in under_way
    assert swept.enqueued == 0
    assert Grab.objects.get().state == State.COMPLETE


def test_a_young_row_may_still_have_its_message_on_the_way(grab: Any) -> None:
    grab()
    assert reconcile.sweep().enqueued == 0


def test_a_retry_is_enqueued_once_it_is_due(grab: Any) -> None:
    settled(waiting := grab())
    later = timedelta(hours=1)
    job = lifecycle.fail(running(waiting, "elsewhere:1:1"), "timeout", "Too slow.", retry=True, delay=later)
    assert reconcile.sweep().enqueued == 0
    Grab.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert reconcile.sweep().enqueued == 1
    assert queue.message_id(job) in messages()


def test_rows_that_run_or_have_ended_get_no_message(grab: Any) -> None:
    settled(one := grab(piece="orbit"), two := grab(piece="waves"))
    running(one, worker.identity())
    lifecycle.cancel(two)
    assert not reconcile.sweep()


def test_a_sweep_survives_a_queue_out_of_reach(grab: Any, settings: Any) -> None:
    settled(grab())
    nowhere = "unix:///nonexistent/valkey.sock"
    settings.RQ_QUEUES = {name: {**options, "URL": nowhere} for name, options in settings.RQ_QUEUES.items()}
    assert reconcile.sweep().enqueued == 0


# --- workers --------------------------------------------------------------------------------------------------------


def test_a_row_with_a_stale_heartbeat_is_recovered(grab: Any, settings: Any) -> None:
    job = running(grab(), "elsewhere:1:1")
    assert reconcile.sweep().recovered == 0
    stale = timezone.now() - timedelta(seconds=settings.OVEN_STALE_S + 1)
    Grab.objects.update(heartbeat_at=stale)
    assert reconcile.sweep().recovered == 1
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.RETRYING, "worker_lost")


def test_a_row_of_a_dead_process_is_recovered_before_its_heartbeat_is_stale(grab: Any, dead_worker: str) -> None:
    running(grab(), dead_worker)
    assert reconcile.sweep().recovered == 1


def test_a_row_of_a_living_process_is_left_alone(grab: Any) -> None:
    running(grab(), worker.identity())
    assert reconcile.sweep().recovered == 0


def test_a_cancelling_row_of_a_dead_process_is_cancelled(grab: Any, dead_worker: str) -> None:
    lifecycle.cancel(running(grab(), dead_worker))
    assert reconcile.sweep().recovered == 1
    assert Grab.objects.get().state == State.CANCELLED


def test_a_job_that_kills_every_worker_fails_in_the_end(grab: Any, dead_worker: str) -> None:
    job = grab()
    for _ in range(job.max_attempts):
        running(job, dead_worker)
        reconcile.sweep()
    job.refresh_from_db()
    assert (job.state, job.error_code, job.attempt) == (State.FAILED, "worker_lost", job.max_attempts)


def test_a_second_sweep_finds_nothing_to_do(grab: Any, dead_worker: str) -> None:
    settled(one := grab(piece="orbit"), grab(piece="waves"))
    running(one, dead_worker)
    assert reconcile.sweep()
    assert not reconcile.sweep()


# --- lanes ----------------------------------------------------------------------------------------------------------


def test_batch_work_that_waited_long_moves_to_now(grab: Any, settings: Any) -> None:
    job = grab(lane=Lane.BATCH)
    queue.enqueue(job)
    assert reconcile.sweep().aged == 0
    Grab.objects.update(created_at=timezone.now() - timedelta(seconds=settings.OVEN_AGE_LANE_S + 1))
    assert reconcile.sweep().aged == 1
    assert Grab.objects.get().lane == Lane.NOW
    assert django_rq.get_queue("capture.batch").get_job_ids() == []
    assert django_rq.get_queue("capture.now").get_job_ids() == [queue.message_id(job)]


def test_nothing_ages_into_the_keep_lane(grab: Any, settings: Any) -> None:
    grab(lane=Lane.NOW)
    Grab.objects.update(created_at=timezone.now() - timedelta(seconds=settings.OVEN_AGE_LANE_S + 1))
    assert reconcile.sweep().aged == 0
    assert Grab.objects.get().lane == Lane.NOW


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_scheduler_sweeps_once_when_told_so(grab: Any) -> None:
    settled(job := grab())
    out = StringIO()
    call_command("scheduler", "--once", stdout=out)
    assert "enqueued=1" in out.getvalue()
    assert messages() == {queue.message_id(job)}


# --- a clock that was set back --------------------------------------------------------------------------------------

JUMP = timedelta(hours=1)


def test_a_row_from_the_future_without_a_message_is_enqueued(grab: Any, valkey: Any) -> None:
    row = grab()
    Grab.objects.filter(pk=row.pk).update(created_at=timezone.now() + JUMP)
    valkey.flushall()
    assert reconcile.sweep().enqueued == 1


def test_a_heartbeat_from_the_future_is_none(grab: Any) -> None:
    """Of a worker on another machine, which this one cannot look at: it would beat by the new clock if it lived."""
    row = running(grab(), "elsewhere:1:1")
    Grab.objects.filter(pk=row.pk).update(heartbeat_at=timezone.now() + JUMP)
    assert reconcile.sweep().recovered == 1


def test_a_clock_that_is_a_little_ahead_elsewhere_does_no_harm(grab: Any, settings: Any) -> None:
    row = running(grab(), "elsewhere:1:1")
    Grab.objects.filter(pk=row.pk).update(heartbeat_at=timezone.now() + timedelta(seconds=settings.OVEN_STALE_S - 1))
    assert reconcile.sweep().recovered == 0
