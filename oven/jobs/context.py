"""One attempt while it runs: its heartbeat, progress, log and cancellation, for the code that does the work."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from django.conf import settings
from django.utils import timezone

from oven.events import progress, stream
from oven.jobs import lifecycle, queue
from oven.jobs.models import Attempt, Job
from oven.jobs.states import RUNNING

T = TypeVar("T")
log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.2
STOP_LIMIT_S = 8.0
MAX_LOG_LINES = 400

stopping = threading.Event()  # set when the worker shuts down: running work is handed back


class Cancelled(Exception):
    """Somebody asked for this job to be cancelled."""


class Superseded(Exception):
    """The row is not this attempt's any more."""


class Released(Exception):
    """The worker shuts down; another one will take the job up."""


class JobContext:
    """What a runner is given. `report` may be called from any thread."""

    def __init__(self, job: Job) -> None:
        self.job: Any = job
        self.spans: dict[str, int] = {"queue": lifecycle.queue_wait_ms(job)}
        self._lines: list[str] = []
        self._stage, self._percent, self._detail = "starting", 0, ""
        self._preview: bytes | None = None
        self._sent = 0.0
        self._beaten = time.monotonic()
        self.note(f"Attempt {job.attempt} of {job.max_attempts} on {job.worker}")

    def note(self, line: str) -> None:
        """A line in the attempt's log."""
        if len(self._lines) < MAX_LOG_LINES:
            self._lines.append(f"{timezone.localtime():%H:%M:%S.%f}"[:-3] + f" {line}")

    def report(self, stage: str, percent: int, detail: str = "", **live: Any) -> None:
        """Progress: at most five a second reach anybody, except that a new stage always does.

        `live`: `frames` (done, total) and `preview` (JPEG bytes); a preview that comes in between goes with the next.
        """
        self._preview = live.pop("preview", None) or self._preview
        percent = max(percent, self._percent)
        new_stage = stage != self._stage
        self._stage, self._percent, self._detail = stage, percent, detail
        now = time.monotonic()
        if new_stage:
            self.note(f"{stage}: {detail}" if detail else stage)
        if new_stage or now - self._sent >= stream.MIN_INTERVAL_S:
            self._sent = now
            progress.send(self.job, stage=stage, percent=percent, detail=detail, preview=self._preview, **live)
            self._preview = None

    def wait(self, future: Future[T]) -> T:
        """The future's result. Raises Cancelled, Superseded or Released after having ended the future's work."""
        while True:
            try:
                return future.result(LOOK_EVERY_S)
            except FutureTimeout:
                if future.done():  # in this very moment, or the work itself has run into a timeout
                    return future.result()
            try:
                self.look()
            except (Cancelled, Superseded, Released):
                _end_future(future)
                raise

    def look(self) -> None:
        """Is the job still wanted, and still ours? To be called several times a second."""
        if queue.cancel_flagged(self.job):
            self._check_state()
        if stopping.is_set():
            raise Released
        if time.monotonic() - self._beaten >= settings.OVEN_HEARTBEAT_S:
            self.beat()

    def beat(self) -> None:
        """The heartbeat, with the stage and the log so far."""
        self._beaten = time.monotonic()
        fields = {"stage": self._stage[:20], "percent": self._percent, "detail": self._detail[:200]}
        if not lifecycle.beat(self.job, **fields):
            self._check_state()
        self.save_log()

    def save_log(self, **fields: Any) -> None:
        rows = Attempt.objects.filter(kind=self.job.kind, job_pk=self.job.pk, number=self.job.attempt)
        rows.update(log="\n".join(self._lines), **fields)

    def _check_state(self) -> None:
        fresh = type(self.job)._default_manager.get(pk=self.job.pk)
        if fresh.attempt != self.job.attempt or fresh.state not in RUNNING:
            raise Superseded
        if fresh.state == "cancelling":
            self.job = fresh
            raise Cancelled


def _end_future(future: Future[Any]) -> None:
    """Cancels the work and waits until it has really ended."""
    future.cancel()
    deadline = time.monotonic() + STOP_LIMIT_S
    while time.monotonic() < deadline:
        try:
            future.result(0.1)
        except FutureTimeout:
            continue
        except (CancelledError, Exception):
            return
        return
    log.error("work did not end within %s s after its cancellation", STOP_LIMIT_S)
