"""The kinds of jobs. Each verb registers itself, so that nothing here knows the verbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from oven.jobs.context import Execution
    from oven.jobs.models import Job


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of job is stored, queued, run and shown."""

    name: str
    model_label: str  # "captures.Grab"
    pool: str  # prefix of its queues, one a lane
    runner: str  # dotted path of `run(execution)`: imported in workers only
    time_limit_s: int  # of one attempt, for the queue's own alarm
    related: tuple[str, ...] = ()  # rows that its own are shown with
    named: str = "public_id"  # the field that people look for it by
    names: str = ""  # dotted path of `names(text, limit)`: values of that field that hold a text, where they are kept
    again: str = ""  # dotted path of `again(row, user=)`: the same once more
    copies: str = ""  # dotted path of `copies(rows, skip_cache=)`: fields of new rows for many ended ones
    beside: int = 0  # so many run beside one another, in threads of one worker (they only wait for others)
    regular: str = ""  # dotted path of what is to be looked after every few seconds, by the light worker
    housekeep: str = ""  # dotted path of what is to be cleared away now and then; returns counts by name

    # How long its history is kept: what a rule starts with, see oven.ops.retention.
    keep_days: int | None = 90  # None: for ever
    keep_rows: int | None = 1_000_000  # None: any number
    protect: str = ""  # dotted path of `retained(rows)`: primary keys of those, in this queryset, that must stay
    keys: tuple[str, ...] = ()  # its fields that hold keys of files in the art store, which have no row of their own
    pointers: tuple[str, ...] = ()  # "app.Model.field" elsewhere: a file whose key such a field holds stays
    places: tuple[str, ...] = ()  # "store:prefix" where its files lie, and nobody else's

    @property
    def model(self) -> type[Job]:
        model: Any = apps.get_model(self.model_label)
        return model  # type: ignore[no-any-return]

    def queue_name(self, lane: str) -> str:
        return f"{self.pool}.{lane}"

    def run(self, execution: Execution) -> None:
        runner: Callable[[Execution], None] = import_string(self.runner)
        runner(execution)


_kinds: dict[str, Kind] = {}
_verbs: dict[str, str] = {}


def register(kind: Kind) -> None:
    _kinds[kind.name] = kind


def get(name: str) -> Kind:
    return _kinds[name]


def names() -> list[str]:
    return list(_kinds)


def register_verb(name: str, path: str) -> None:
    """What a bulk action does that is not about jobs: `path` is the dotted one of `do(key)`."""
    _verbs[name] = path


def verb(name: str) -> Callable[[Any], object] | None:
    return import_string(_verbs[name]) if name in _verbs else None


def kinds() -> list[Kind]:
    return list(_kinds.values())


def find(public_id: str) -> Job | None:
    """The job with this id, of any kind that is shown."""
    for kind in [kind for kind in _kinds.values() if kind.model.shown]:
        job = kind.model._default_manager.filter(public_id=public_id).first()
        if job is not None:
            return job
    return None
