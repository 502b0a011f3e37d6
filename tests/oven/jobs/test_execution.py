from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import pytest

from captures.models import Grab
from oven.events import progress, publisher
from oven.jobs import context as running
from oven.jobs import lifecycle
from oven.jobs.context import Cancelled, JobContext, Released, Superseded
from oven.jobs.models import Attempt


@pytest.fixture
def execution(grab: Any) -> JobContext:
    job = lifecycle.claim("grab", grab().pk, "a:1:1")
    assert job is not None
    return JobContext(job)


@pytest.fixture
def shutting_down() -> Iterator[None]:
    running.stopping.set()
    yield
    running.stopping.clear()


@pytest.fixture
def sent(execution: JobContext, valkey: Any) -> Any:
    """How many events have gone out since the claim."""
    publisher.flush()
    before = int(valkey.get(publisher.SEQUENCE_KEY) or 0)

    def count() -> int:
        publisher.flush()
        return int(valkey.get(publisher.SEQUENCE_KEY) or 0) - before

    return count


def current(execution: JobContext) -> dict[str, Any]:
    return progress.read("grab", [execution.job.public_id])[execution.job.public_id]


def attempt(execution: JobContext) -> Attempt:
    return Attempt.objects.get(job_pk=execution.job.pk, number=execution.job.attempt)


# --- progress -------------------------------------------------------------------------------------------------------


def test_progress_is_sent_at_most_five_times_a_second(execution: JobContext, sent: Any) -> None:
    ends = time.monotonic() + 1.0
    percent = 0
    while time.monotonic() < ends:
        percent += 1
        execution.report("capturing", min(percent, 100))
        time.sleep(0.005)
    assert percent > 20
    assert 3 <= sent() <= 6


def test_a_new_stage_is_always_sent(execution: JobContext, sent: Any) -> None:
    for number, stage in enumerate(("loading", "settling", "capturing", "encoding", "uploading")):
        execution.report(stage, number)
    assert sent() == 5
    assert current(execution)["stage"] == "uploading"


def test_percent_never_falls(execution: JobContext) -> None:
    execution.report("capturing", 60)
    execution.report("encoding", 10)
    assert current(execution)["percent"] == 60


def test_progress_carries_frames_and_a_preview(execution: JobContext) -> None:
    execution.report("capturing", 50, "Frame 3 of 6", frames=(3, 6), preview=b"jpeg")
    assert current(execution) == {
        "stage": "capturing",
        "percent": 50,
        "detail": "Frame 3 of 6",
        "frames": [3, 6],
        "preview": "anBlZw==",
    }


# --- look -----------------------------------------------------------------------------------------------------------


def test_a_wanted_job_goes_on(execution: JobContext) -> None:
    execution.look()


def test_a_cancel_is_seen_at_once(execution: JobContext) -> None:
    lifecycle.cancel(Grab.objects.get())
    with pytest.raises(Cancelled):
        execution.look()
    assert lifecycle.confirm_cancelled(execution.job).state == "cancelled"


def test_a_cancel_whose_flag_was_lost_is_seen_with_the_heartbeat(
    execution: JobContext, valkey: Any, settings: Any
) -> None:
    lifecycle.cancel(Grab.objects.get())
    valkey.flushall()
    execution.look()
    settings.OVEN_HEARTBEAT_S = 0
    with pytest.raises(Cancelled):
        execution.look()


def test_an_attempt_that_was_taken_over_is_superseded(execution: JobContext, settings: Any) -> None:
    settings.OVEN_HEARTBEAT_S = 0
    lifecycle.recover(Grab.objects.get())
    with pytest.raises(Superseded):
        execution.look()
    assert lifecycle.claim("grab", execution.job.pk, "b:2:2") is not None
    with pytest.raises(Superseded):
        execution.look()


def test_a_flag_of_an_older_cancel_does_not_stop_a_wanted_job(execution: JobContext) -> None:
    from oven.jobs import queue

    queue.flag_cancel(execution.job)
    execution.look()


def test_a_worker_that_shuts_down_hands_its_job_back(execution: JobContext, shutting_down: None) -> None:
    with pytest.raises(Released):
        execution.look()


# --- heartbeat and log ----------------------------------------------------------------------------------------------


def test_the_heartbeat_writes_the_stage_and_the_log(execution: JobContext) -> None:
    before = Grab.objects.get().heartbeat_at
    execution.report("capturing", 40, "Frame 2 of 6")
    execution.note("the piece logs in")
    execution.beat()
    row = Grab.objects.get()
    assert (row.stage, row.percent, row.detail) == ("capturing", 40, "Frame 2 of 6")
    assert row.heartbeat_at > before
    lines = attempt(execution).log.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "Attempt 1 of 3 on a:1:1",
        "capturing: Frame 2 of 6",
        "the piece logs in",
    ]


def test_the_log_has_an_end(execution: JobContext) -> None:
    for number in range(running.MAX_LOG_LINES * 2):
        execution.note(f"line {number}")
    execution.save_log()
    assert len(attempt(execution).log.splitlines()) == running.MAX_LOG_LINES


# --- wait -----------------------------------------------------------------------------------------------------------


class _InTheLastMoment(Future[str]):
    """Ends between a look that came too early and the question whether it has ended."""

    def result(self, timeout: float | None = None) -> str:
        if not self.done():
            self.set_result("picture")
            raise FutureTimeout
        return super().result(timeout)


def test_a_result_of_the_last_moment_counts(execution: JobContext) -> None:
    assert execution.wait(_InTheLastMoment()) == "picture"


def test_a_timeout_of_the_work_itself_is_its_error(execution: JobContext) -> None:
    future: Future[str] = Future()
    future.set_exception(TimeoutError("of the work"))
    with pytest.raises(TimeoutError, match="of the work"):
        execution.wait(future)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_waiting_ends_when_the_job_is_cancelled(execution: JobContext, loop: asyncio.AbstractEventLoop) -> None:
    lifecycle.cancel(Grab.objects.get())
    future = asyncio.run_coroutine_threadsafe(asyncio.sleep(60), loop)
    started = time.monotonic()
    with pytest.raises(Cancelled):
        execution.wait(future)
    assert future.cancelled()
    assert time.monotonic() - started < 3


def test_a_preview_that_comes_too_early_goes_with_the_next_report(grab: Any, valkey: Any) -> None:
    from oven.events import progress

    execution = JobContext(grab())
    execution.report("capturing", 30)
    execution.report("capturing", 31, preview=b"jpeg")  # held back: too soon after the first
    execution.report("encoding", 85)
    found = progress.read("grab", [execution.job.public_id])[execution.job.public_id]
    assert found["preview"] == "anBlZw=="
