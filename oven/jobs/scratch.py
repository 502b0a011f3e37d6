"""Where a running job keeps its unfinished files. Nothing of it outlives the attempt for long."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from oven.jobs import registry
from oven.jobs.models import Job
from oven.jobs.states import RUNNING


@contextlib.contextmanager
def directory(job: Job) -> Iterator[Path]:
    """A fresh directory of this attempt, removed afterwards. What a killed attempt of the job left goes first."""
    root = _root()
    root.mkdir(parents=True, exist_ok=True)
    for old in root.glob(f"{job.kind}-{job.pk}-*"):
        shutil.rmtree(old, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"{job.kind}-{job.pk}-", dir=root))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sweep() -> int:
    """Removes what belongs to no running job; returns how many directories."""
    found = list(_root().glob("*-*-*"))  # before the look at the rows: a job that starts in between keeps its own
    running = {
        f"{kind.name}-{pk}"
        for kind in registry.kinds()
        for pk in kind.model._default_manager.filter(state__in=RUNNING).values_list("pk", flat=True)
    }
    orphans = [path for path in found if path.name.rsplit("-", 1)[0] not in running]
    for path in orphans:
        shutil.rmtree(path, ignore_errors=True)
    return len(orphans)


def _root() -> Path:
    return Path(settings.OVEN_DATA) / "scratch"
