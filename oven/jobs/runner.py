"""The base of every kind of job: one class says what a worker runs, and how jobs are queued, requeued and kept."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from oven.jobs import lifecycle, scratch
from oven.jobs.context import JobContext
from oven.jobs.models import Job
from oven.jobs.registry import JobKind
from oven.storage.stores import StoreError

DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


class JobRunner(JobKind):
    """Run jobs of one kind: `work` makes the result in a scratch directory and publishes it.

    An exception of `failures` fails the attempt: it has `code` and `message`, and a code that has `retry`, or `retry`
    itself. Errors of the store fail it with the code `store`, a full or broken disk with `disk`. The worker handles
    everything else.
    """

    failures: ClassVar[tuple[type[Exception], ...]] = ()
    store_failure: ClassVar[str] = "The result could not be stored."

    def run(self, context: JobContext) -> None:
        try:
            with scratch.directory(context.job) as place:
                self.work(context, place)
        except StoreError as error:
            context.note(f"store: {error}")
            self.store_failed(context)
        except self.failures as error:
            self.failed(context, error)
        except OSError as error:
            if error.errno not in DISK:
                raise
            context.note(repr(error))
            self.fail(context, "disk", f"A file could not be written: {error.strerror}.", retry=True)

    def work(self, context: JobContext, place: Path) -> None:
        """Make and publish the result. `place` is an empty directory that is removed afterwards."""
        raise NotImplementedError

    def store_failed(self, context: JobContext) -> None:
        """Record that a store refused a file, or could not be reached."""
        self.fail(context, "store", self.store_failure, retry=True)

    def failed(self, context: JobContext, error: Any) -> None:
        """Record one of `failures`."""
        context.spans.update(getattr(error, "spans", {}))
        retry = error.retry if hasattr(error, "retry") else error.code.retry
        self.fail(context, str(error.code), error.message, retry)

    def fail(self, context: JobContext, code: str, message: str, retry: bool, delay: timedelta | None = None) -> Job:
        """End the attempt without a result; the row waits for another one where `retry` and its attempts allow."""
        context.note(f"failed: {code}: {message}")
        context.job = lifecycle.fail(context.job, code[:24], message, retry, context.spans, delay)
        return context.job  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def timed(self, context: JobContext, name: str) -> Iterator[None]:
        """Add the block's duration in ms to the attempt's spans."""
        started = time.monotonic()
        try:
            yield
        finally:
            context.spans[name] = round((time.monotonic() - started) * 1000)

    def begin_storing(self, context: JobContext, percent: int = 95, detail: str = "Storing") -> None:
        """Report the last stage. Raises Superseded or Cancelled when the attempt does not count any more."""
        context.report("uploading", percent, detail)
        context.beat()

    def publish(self, context: JobContext, **result: Any) -> None:
        """End the row with its result. Raises StateMismatch, after `discard`, when the attempt came too late."""
        try:
            lifecycle.finish(context.job, context.spans, **result)
        except lifecycle.StateMismatch:
            self.discard(context.job, (context.job.attempt,))
            raise

    def discard(self, job: Any, attempts: Iterable[int]) -> None:
        """Delete the stored files of attempts that are not published."""
