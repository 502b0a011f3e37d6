"""The kinds of jobs. Each app registers its own when it is loaded, so that nothing here imports an app."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from oven.jobs.models import Job
from oven.jobs.states import State


class JobKind:
    """How one kind of job is stored, queued, found, kept and cleaned up.

    Every kind is a subclass of `oven.jobs.runner.JobRunner`, which also says how a job is run. This base holds what
    the queue, the lists and retention read.
    """

    name: ClassVar[str]
    model: ClassVar[type[Job]]
    pool: ClassVar[str]  # prefix of its queues, one for each lane
    timeout_s: ClassVar[int]  # of one attempt
    max_concurrent: ClassVar[int] = 0  # so many at once in threads of one worker; for jobs that mostly wait. 0: one
    related: ClassVar[tuple[str, ...]] = ()  # foreign keys that lists show
    search_field: ClassVar[str] = "public_id"
    can_requeue: ClassVar[bool] = False
    clones: ClassVar[bool] = False  # many are requeued at once by `clone_fields`

    # How long its history is kept: what a rule starts with, see oven.ops.retention. None: without a limit.
    keep_days: ClassVar[int | None] = 90
    keep_rows: ClassVar[int | None] = 1_000_000
    file_fields: ClassVar[tuple[str, ...]] = ()  # hold keys of files in the art store that have no row of their own
    referenced_by: ClassVar[tuple[str, ...]] = ()  # "app.Model.field" elsewhere: a file whose key is there stays
    storage_prefixes: ClassVar[tuple[str, ...]] = ()  # "store:prefix" where its files are, and nothing else's

    def queue_name(self, lane: str) -> str:
        return f"{self.pool}.{lane}"

    def run(self, context: Any) -> None:
        """Run one attempt. `context` is a `JobContext`."""
        raise NotImplementedError

    def requeue(self, job: Any, *, user: Any = None, skip_cache: bool = False) -> Job:
        """Submit a new job that does the same as an ended one."""
        raise NotImplementedError

    def clone_fields(self, jobs: QuerySet[Any], *, skip_cache: bool) -> list[dict[str, Any]]:
        """Return the fields of new rows that do the same as these."""
        raise NotImplementedError

    def search_values(self, text: str, limit: int) -> list[str] | None:
        """Return the values of `search_field` that contain a text, where a table of them exists; None elsewhere."""
        return None

    def periodic(self) -> None:
        """Do periodic work. The light worker calls it every few seconds."""

    def cleanup(self) -> dict[str, int]:
        """Delete what has expired. Return counts by name."""
        return {}

    def retained(self, rows: QuerySet[Any]) -> Iterable[int]:
        """Return the primary keys of rows that must not be deleted, whatever their age."""
        return ()

    def cached(self, rows: QuerySet[Any]) -> Iterable[int]:
        """Return those that answer equal requests: of each capture key the newest good row, until it expires."""
        good = self.model._default_manager.filter(
            state=State.COMPLETE, artifact__isnull=False, expires_at__gt=timezone.now()
        )
        newer = good.filter(capture_key=OuterRef("capture_key"), pk__gt=OuterRef("pk"))
        return rows.filter(pk__in=good).exclude(Exists(newer)).values_list("pk", flat=True)


_kinds: dict[str, JobKind] = {}
_verbs: dict[str, Callable[[Any], object]] = {}


def register(kind: JobKind) -> None:
    _kinds[kind.name] = kind


def unregister(name: str) -> None:
    del _kinds[name]


def get(name: str) -> JobKind:
    return _kinds[name]


def names() -> list[str]:
    return list(_kinds)


def kinds() -> list[JobKind]:
    return list(_kinds.values())


def shown() -> list[JobKind]:
    """Return the kinds that the live page shows."""
    return [kind for kind in _kinds.values() if kind.model.shown]


def register_verb(name: str, call: Callable[[Any], object]) -> None:
    """Register what a bulk action does with each key, for one that is not about jobs."""
    _verbs[name] = call


def verb(name: str) -> Callable[[Any], object] | None:
    return _verbs.get(name)


def find(public_id: str) -> Job | None:
    """Return the job with this id, of any kind that is shown."""
    for kind in shown():
        job = kind.model._default_manager.filter(public_id=public_id).first()
        if job is not None:
            return job
    return None
