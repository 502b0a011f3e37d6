from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from captures.models import Grab
from oven.jobs import lifecycle, queries, queue, registry
from oven.jobs.lifecycle import StateMismatch
from oven.jobs.models import Attempt
from oven.jobs.states import Lane, State

Grabs = Any


def claimed(grab: Any, worker: str = "a:1:1") -> Any:
    job = lifecycle.claim("grab", grab.pk, worker)
    assert job is not None
    return job


def messages() -> set[str]:
    return queue.under_way(registry.get("grab"))


def attempts(job: Any) -> list[Attempt]:
    return list(Attempt.objects.filter(kind="grab", job_pk=job.pk).order_by("number"))


# --- submit ---------------------------------------------------------------------------------------------------------


def test_a_message_is_sent_only_when_the_row_is_committed(
    grab: Grabs, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = grab()
        assert messages() == set()
    assert messages() == {queue.message_id(job)}


def test_a_rollback_sends_no_message(grab: Grabs, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True) as callbacks, pytest.raises(RuntimeError):
        _ask_and_fail(grab)
    assert callbacks == []
    assert messages() == set()
    assert not Grab.objects.exists()


def _ask_and_fail(grab: Grabs) -> None:
    with transaction.atomic():
        grab()
        raise RuntimeError("and so the transaction is rolled back")


def test_the_database_refuses_a_second_active_row_of_the_same_capture(grab: Grabs) -> None:
    first = grab()
    twin = Grab(**{**_fields(first), "public_id": "twin"})
    with pytest.raises(IntegrityError):
        lifecycle.submit(twin)


@pytest.mark.parametrize("state", [State.COMPLETE, State.FAILED, State.CANCELLED])
def test_an_ended_row_does_not_block_the_same_capture(grab: Grabs, state: State) -> None:
    first = grab()
    Grab.objects.filter(pk=first.pk).update(state=state)
    lifecycle.submit(Grab(**{**_fields(first), "public_id": "twin"}))
    assert Grab.objects.count() == 2


def _fields(grab: Grab) -> dict[str, Any]:
    names = ("piece", "format", "out_width", "out_height", "capture_key", "spec")
    return {name: getattr(grab, name) for name in names}


# --- claim ----------------------------------------------------------------------------------------------------------


def test_of_two_workers_one_wins(grab: Grabs) -> None:
    waiting = grab()
    won = claimed(waiting, "a:1:1")
    assert lifecycle.claim("grab", waiting.pk, "b:2:2") is None
    assert (won.state, won.attempt, won.worker) == (State.RUNNING, 1, "a:1:1")
    assert [(a.number, a.worker, a.outcome) for a in attempts(won)] == [(1, "a:1:1", State.RUNNING)]


def test_a_retry_is_not_claimed_before_it_is_due(grab: Grabs) -> None:
    job = lifecycle.fail(claimed(grab()), "timeout", "Too slow.", retry=True)
    assert lifecycle.claim("grab", job.pk, "b:2:2") is None
    Grab.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert claimed(job).attempt == 2


def test_whoever_a_row_waits_for_may_claim_it_early(grab: Grabs) -> None:
    job = grab()
    Grab.objects.filter(pk=job.pk).update(due_at=timezone.now() + timedelta(hours=1))
    assert lifecycle.claim("grab", job.pk, "a:1:1") is None
    claimed = lifecycle.claim("grab", job.pk, "a:1:1", early=True)
    assert claimed is not None
    assert (claimed.state, claimed.due_at) == (State.RUNNING, None)


def test_a_claim_wipes_what_the_last_attempt_left(grab: Grabs) -> None:
    job = lifecycle.fail(claimed(grab()), "timeout", "Too slow.", retry=True)
    Grab.objects.update(due_at=None, percent=70, detail="old")
    again = claimed(job)
    assert (again.error_code, again.error_message, again.percent, again.detail, again.due_at) == ("", "", 0, "", None)


def test_nothing_is_claimed_for_a_row_that_is_gone(db: None, valkey: Any) -> None:
    assert lifecycle.claim("grab", 4711, "a:1:1") is None


# --- finish and fail ------------------------------------------------------------------------------------------------


def test_finish_publishes_the_result(grab: Grabs) -> None:
    job = lifecycle.finish(claimed(grab()), {"queue": 5, "capture": 7}, mode="virtual")
    assert (job.state, job.percent, job.stage, job.mode) == (State.COMPLETE, 100, "", "virtual")
    assert job.ended_at is not None
    assert [(a.outcome, a.spans) for a in attempts(job)] == [(State.COMPLETE, {"queue": 5, "capture": 7})]


def test_a_late_finisher_loses(grab: Grabs) -> None:
    late = claimed(grab(), "a:1:1")
    lifecycle.recover(Grab.objects.get())
    winner = claimed(late, "b:2:2")
    for change in (
        lambda: lifecycle.finish(late, {}),
        lambda: lifecycle.fail(late, "timeout", "Too slow.", retry=False),
        lambda: lifecycle.release(late, "restart"),
        lambda: lifecycle.confirm_cancelled(late),
    ):
        with pytest.raises(StateMismatch):
            change()
    assert not lifecycle.beat(late)
    winner.refresh_from_db()
    assert (winner.state, winner.worker, winner.attempt) == (State.RUNNING, "b:2:2", 2)


def test_nothing_is_finished_twice(grab: Grabs) -> None:
    job = lifecycle.finish(claimed(grab()), {})
    with pytest.raises(StateMismatch):
        lifecycle.finish(job, {})


def test_a_failure_that_no_retry_helps_is_final(grab: Grabs) -> None:
    job = lifecycle.fail(claimed(grab()), "bad_spec", "Wrong.", retry=False)
    assert (job.state, job.error_code, job.attempt) == (State.FAILED, "bad_spec", 1)


def test_fail_retries_until_the_attempts_are_used_up(grab: Grabs) -> None:
    job = grab()
    states = []
    while job.state != State.FAILED:
        Grab.objects.update(due_at=None)
        job = lifecycle.fail(claimed(job), "timeout", "Too slow.", retry=True)
        states.append((job.attempt, job.state))
    assert states == [(1, State.RETRYING), (2, State.RETRYING), (3, State.FAILED)]
    assert [a.outcome for a in attempts(job)] == [State.FAILED] * 3
    assert job.due_at is None


def test_a_retry_keeps_the_reason_and_is_due_later(grab: Grabs) -> None:
    job = lifecycle.fail(claimed(grab()), "timeout", "Too slow.", retry=True)
    assert (job.error_code, job.error_message) == ("timeout", "Too slow.")
    assert job.due_at > timezone.now()


def test_the_backoff_doubles_and_is_jittered(settings: Any) -> None:
    settings.OVEN_RETRY_BASE_S = 2.0
    for attempt, base in ((1, 2), (2, 4), (3, 8)):
        delays = {lifecycle.retry_delay(attempt).total_seconds() for _ in range(50)}
        assert all(base * 0.8 <= delay <= base * 1.2 for delay in delays)
        assert len(delays) > 10


def test_a_long_error_message_is_cut(grab: Grabs) -> None:
    assert len(lifecycle.fail(claimed(grab()), "timeout", "x" * 900, retry=False).error_message) == 500


# --- release --------------------------------------------------------------------------------------------------------


def test_a_release_costs_no_attempt(grab: Grabs) -> None:
    job = claimed(grab())
    left = job.max_attempts - job.attempt
    job = lifecycle.release(job, "The worker was restarted")
    assert job.state == State.QUEUED
    assert queue.message_id(job) in messages()
    again = claimed(job)
    assert again.max_attempts - again.attempt == left
    assert [a.error_code for a in attempts(again)] == ["released", ""]


# --- cancel ---------------------------------------------------------------------------------------------------------


def test_a_waiting_row_is_cancelled_at_once(grab: Grabs) -> None:
    job = lifecycle.cancel(grab())
    assert job.state == State.CANCELLED
    assert job.ended_at is not None
    assert lifecycle.claim("grab", job.pk, "a:1:1") is None


def test_a_row_that_waits_to_retry_is_cancelled_at_once(grab: Grabs) -> None:
    job = lifecycle.fail(claimed(grab()), "timeout", "Too slow.", retry=True)
    assert lifecycle.cancel(job).state == State.CANCELLED


def test_a_running_row_is_cancelled_in_two_steps(grab: Grabs) -> None:
    job = lifecycle.cancel(claimed(grab()))
    assert job.state == State.CANCELLING
    assert queue.cancel_flagged(job)
    assert not lifecycle.beat(job)
    job = lifecycle.confirm_cancelled(job, {"capture": 3})
    assert (job.state, job.spans) == (State.CANCELLED, {"capture": 3})
    assert [a.outcome for a in attempts(job)] == [State.CANCELLED]


def test_a_cancelled_attempt_cannot_finish(grab: Grabs) -> None:
    running = claimed(grab())
    lifecycle.cancel(Grab.objects.get())
    with pytest.raises(StateMismatch):
        lifecycle.finish(running, {})


def test_what_has_ended_cannot_be_cancelled(grab: Grabs) -> None:
    job = lifecycle.finish(claimed(grab()), {})
    with pytest.raises(StateMismatch):
        lifecycle.cancel(job)


def test_only_what_is_cancelling_can_be_confirmed(grab: Grabs) -> None:
    with pytest.raises(StateMismatch):
        lifecycle.confirm_cancelled(claimed(grab()))


# --- recover --------------------------------------------------------------------------------------------------------


def test_the_job_of_a_lost_worker_waits_again_at_once(grab: Grabs) -> None:
    job = lifecycle.recover(claimed(grab()))
    assert (job.state, job.error_code, job.due_at) == (State.RETRYING, "worker_lost", None)
    assert queue.message_id(job) in messages()
    assert claimed(job).attempt == 2


def test_a_lost_worker_that_was_cancelling_has_cancelled(grab: Grabs) -> None:
    assert lifecycle.recover(lifecycle.cancel(claimed(grab()))).state == State.CANCELLED


def test_lost_workers_use_up_the_attempts(grab: Grabs) -> None:
    job = grab()
    for _ in range(3):
        job = lifecycle.recover(claimed(job))
    assert (job.state, job.error_code) == (State.FAILED, "worker_lost")


# --- priority -------------------------------------------------------------------------------------------------------


def in_order() -> list[str]:
    return [job.piece for job in queries.waiting(registry.get("grab"))]


def lane_messages(lane: str) -> list[str]:
    found: Any = django_rq.get_queue(f"capture.{lane}")
    return list(found.get_job_ids())


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_moved_to_the_front_is_served_next(grab: Any) -> None:
    one, two, three = (grab(piece=piece) for piece in ("one", "two", "three"))
    lifecycle.to_front(two)
    lifecycle.to_front(three)
    assert in_order() == ["three", "two", "one"]
    assert lane_messages("now") == [queue.message_id(job) for job in (three, two, one)]


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_moved_to_another_lane_goes_to_its_end(grab: Any) -> None:
    one, two = grab(piece="one"), grab(piece="two")
    lifecycle.to_front(two)
    lifecycle.move(two, Lane.BATCH)
    lifecycle.move(one, Lane.BATCH)
    assert in_order() == ["one", "two"]
    assert lane_messages("now") == []
    assert lane_messages("batch") == [queue.message_id(two), queue.message_id(one)]


def test_what_runs_or_has_ended_cannot_be_moved(grab: Any) -> None:
    job = lifecycle.claim("grab", grab().pk, "here")
    assert job is not None
    for change in (lifecycle.to_front, lambda row: lifecycle.move(row, Lane.KEEP)):
        with pytest.raises(lifecycle.StateMismatch):
            change(job)
