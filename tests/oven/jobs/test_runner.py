"""What the base of all kinds does when a job cannot be run."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from oven.jobs import scratch, worker

pytestmark = pytest.mark.django_db(transaction=True)


def run_with(error: OSError, monkeypatch: pytest.MonkeyPatch, job: Any) -> Any:
    def directory(_: Any) -> None:
        raise error

    monkeypatch.setattr(scratch, "directory", directory)
    worker.perform(job.kind, job.pk)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_nothing_is_named_and_tried_again(
    grab: Any, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    job = run_with(OSError(number, os.strerror(number)), monkeypatch, grab())
    assert (job.state, job.error_code) == ("retrying", "disk")
    assert job.error_message == f"A file could not be written: {os.strerror(number)}."


def test_another_error_of_the_system_is_internal(grab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = run_with(FileNotFoundError(errno.ENOENT, "No such file"), monkeypatch, grab())
    assert (job.state, job.error_code) == ("retrying", "internal")
