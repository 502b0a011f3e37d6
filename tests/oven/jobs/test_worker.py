from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import django_rq
import psutil
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from captures.models import Grab
from oven.jobs import context as running
from oven.jobs import lifecycle, queue, worker
from oven.jobs.context import JobContext
from oven.jobs.models import Attempt
from oven.jobs.states import State
from tests.support import kind_that_runs, until

HOST = socket.gethostname()


def test_a_worker_is_known_by_host_process_and_start() -> None:
    host, pid, started = worker.identity().rsplit(":", 2)
    assert (host, int(pid)) == (HOST, os.getpid())
    assert int(started) == int(psutil.Process().create_time())


def test_this_process_is_not_dead() -> None:
    assert not worker.is_dead(worker.identity())


def test_a_process_that_ended_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert worker.is_dead(f"{HOST}:{child.pid}:1")


def test_another_process_with_the_number_of_a_dead_one_does_not_count() -> None:
    started = int(psutil.Process().create_time())
    assert worker.is_dead(f"{HOST}:{os.getpid()}:{started - 100}")


@pytest.mark.parametrize("name", ["elsewhere:1:1", "", "nonsense", "a:b:c", f"{HOST}:x:1"])
def test_nothing_is_said_of_workers_elsewhere(name: str) -> None:
    assert not worker.is_dead(name)


# --- perform --------------------------------------------------------------------------------------------------------

committed = pytest.mark.django_db(transaction=True)  # perform opens the database anew, as a worker does
_behaviour: list[Callable[[JobContext], None]] = []


def behave(execution: JobContext) -> None:
    _behaviour[-1](execution)


@pytest.fixture
def runner() -> Iterator[Callable[[Callable[[JobContext], None]], None]]:
    """Sets what running a grab does, instead of opening a browser."""
    with kind_that_runs(behave):
        yield _behaviour.append
    _behaviour.clear()
    running.stopping.clear()


def outcome() -> tuple[str, str, str]:
    row, attempt = Grab.objects.get(), Attempt.objects.latest("id")
    return row.state, row.error_code, attempt.log.splitlines()[-1].split(" ", 1)[1]


@committed
def test_a_message_for_a_row_that_needs_nothing_does_nothing(grab: Any, runner: Any) -> None:
    runner(lambda execution: pytest.fail("it ran"))
    job = lifecycle.cancel(grab())
    worker.perform("grab", job.pk)
    worker.perform("grab", 4711)
    assert not Attempt.objects.exists()


@committed
def test_an_unexpected_error_is_tried_again_and_logged(grab: Any, runner: Any) -> None:
    def fail(execution: JobContext) -> None:
        raise ZeroDivisionError("oh")

    runner(fail)
    worker.perform("grab", grab().pk)
    assert outcome() == (State.RETRYING, "internal", "Unexpected: ZeroDivisionError('oh')")


@committed
def test_a_cancel_during_the_work_is_confirmed(grab: Any, runner: Any) -> None:
    def cancelled_meanwhile(execution: JobContext) -> None:
        lifecycle.cancel(Grab.objects.get())
        execution.look()

    runner(cancelled_meanwhile)
    worker.perform("grab", grab().pk)
    assert outcome() == (State.CANCELLED, "", "Cancelled")


@committed
def test_a_cancel_in_the_very_moment_of_the_end_is_confirmed(grab: Any, runner: Any) -> None:
    def cancelled_last_moment(execution: JobContext) -> None:
        lifecycle.cancel(Grab.objects.get())
        lifecycle.finish(execution.job, {})

    runner(cancelled_last_moment)
    worker.perform("grab", grab().pk)
    assert Grab.objects.get().state == State.CANCELLED


@committed
def test_a_cancel_before_an_unexpected_error_is_confirmed(grab: Any, runner: Any) -> None:
    def cancelled_then_broken(execution: JobContext) -> None:
        lifecycle.cancel(Grab.objects.get())
        raise ZeroDivisionError

    runner(cancelled_then_broken)
    worker.perform("grab", grab().pk)
    assert Grab.objects.get().state == State.CANCELLED


@committed
def test_a_stopping_worker_releases_its_job(grab: Any, runner: Any) -> None:
    def stopped(execution: JobContext) -> None:
        running.stopping.set()
        execution.look()

    runner(stopped)
    worker.perform("grab", grab().pk)
    assert outcome() == (State.QUEUED, "", "Handed back: the worker shuts down")


@committed
def test_a_cancelled_job_of_a_stopping_worker_is_cancelled(grab: Any, runner: Any, valkey: Any) -> None:
    def cancelled_while_stopping(execution: JobContext) -> None:
        lifecycle.cancel(Grab.objects.get())
        valkey.flushall()
        running.stopping.set()
        execution.look()

    runner(cancelled_while_stopping)
    worker.perform("grab", grab().pk)
    assert Grab.objects.get().state == State.CANCELLED


@committed
def test_a_superseded_attempt_changes_nothing(grab: Any, runner: Any) -> None:
    def taken_over(execution: JobContext) -> None:
        lifecycle.recover(Grab.objects.get())
        winner = lifecycle.claim("grab", execution.job.pk, "b:2:2")
        assert winner is not None
        lifecycle.finish(execution.job, {})

    runner(taken_over)
    worker.perform("grab", grab().pk)
    row = Grab.objects.get()
    assert (row.state, row.worker, row.attempt) == (State.RUNNING, "b:2:2", 2)


# --- beside one another, and forks ----------------------------------------------------------------------------------


@committed
def test_jobs_that_only_wait_run_beside_one_another(grab: Any) -> None:
    together = threading.Barrier(3)

    def meet(execution: JobContext) -> None:
        together.wait(5)
        lifecycle.finish(execution.job, {})

    _behaviour.append(meet)
    with kind_that_runs(behave, max_concurrent=3):
        for number in range(3):
            worker.perform("grab", grab(piece=f"p{number}").pk)
        until(lambda: Grab.objects.filter(state=State.COMPLETE).count() == 3)
    _behaviour.clear()


@committed
def test_a_claim_that_the_database_refuses_takes_no_place_for_ever(
    grab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the worker would wait for a place that nobody ever gives back, once as many as there are had failed."""

    def locked(*args: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(lifecycle, "claim", locked)
    with kind_that_runs(behave, "refused", max_concurrent=1):
        for _ in range(3):
            with pytest.raises(OperationalError):
                worker.perform("refused", grab().pk)


def test_a_fork_worker_that_is_stopped_tells_its_fork(monkeypatch: pytest.MonkeyPatch, valkey: Any) -> None:
    told: list[int] = []
    forks = worker.ForkWorker([django_rq.get_queue("bake.now")], connection=queue.connection())
    monkeypatch.setattr(forks, "kill_horse", told.append)
    forks.handle_warm_shutdown_request()
    assert told == []
    monkeypatch.setattr(forks, "_horse_pid", 4711)
    forks.handle_warm_shutdown_request()
    assert told == [signal.SIGUSR1]


def test_a_fork_that_is_told_hands_its_job_back(valkey: Any) -> None:
    forks = worker.ForkWorker([django_rq.get_queue("bake.now")], connection=queue.connection())
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    try:
        forks.setup_work_horse_signals()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert running.stopping.is_set()
    finally:
        running.stopping.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


@committed
@pytest.mark.parametrize("command", ["bake_worker", "bundle_worker", "light_worker"])
def test_workers_serve_their_queues_until_these_are_empty(valkey: Any, command: str) -> None:
    call_command(command, "--burst")


@committed
def test_a_database_that_was_restarted_costs_a_warm_worker_no_message(valkey: Any, monkeypatch: Any) -> None:
    connection.ensure_connection()
    connection.connection.close()  # as the server does; Django finds out by the first error
    connection.errors_occurred = True
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    lane = django_rq.get_queue("light")
    message = lane.enqueue_call("oven.jobs.cleanup.run_periodic", result_ttl=60)
    running = worker.WarmWorker([lane], connection=queue.connection(), serializer=lane.serializer)
    running.work(burst=True, logging_level="WARNING")
    assert message.get_status() == "finished"
