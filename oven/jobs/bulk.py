"""One action on many jobs: counted before it is confirmed, and taken back within its undo window."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from oven.errors import BadRequest
from oven.events import stream
from oven.jobs import admission, lifecycle, registry
from oven.jobs.bulk_insert import insert_many
from oven.jobs.context import JobContext
from oven.jobs.filters import Filter
from oven.jobs.models import BulkAction, Job
from oven.jobs.registry import JobKind
from oven.jobs.runner import JobRunner
from oven.jobs.states import ACTIVE, ENDED, WAITING, BulkVerb, Lane, State

CHUNK = 500
SAVE_EVERY = 25
Targets = dict[str, list[Any]]  # keys by kind: rows' numbers, or names for verbs that are not about jobs

_STATES = {BulkVerb.AGAIN: ENDED, BulkVerb.CANCEL: ACTIVE, BulkVerb.LANE: WAITING}
_MOST_IDS = 500


# --- before: what would it be about ---------------------------------------------------------------------------------


def verb_of(value: object) -> BulkVerb:
    try:
        return BulkVerb(str(value))
    except ValueError:
        text = f"action: {str(value)[:20]!r} is not one of {', '.join(BulkVerb.values)}."
        raise BadRequest("action", text, BulkVerb.values) from None


def find(verb: BulkVerb, wanted: Filter, ids: Sequence[str], may: Callable[[JobKind], bool]) -> Targets:
    """What the verb would be carried out on: jobs by their ids, or all that the filter finds and that allow it.

    Kinds that the person may not act on are left out. Raises BadRequest for more than the limit.
    """
    if len(ids) > _MOST_IDS:
        raise BadRequest("ids", f"ids: at most {_MOST_IDS}; use a filter for more.", _MOST_IDS)
    targets: Targets = {}
    for kind in wanted.kinds():
        if not may(kind) or (verb == BulkVerb.AGAIN and not kind.can_requeue):
            continue
        rows = wanted.rows(kind).filter(state__in=_STATES[verb])
        if ids:
            rows = rows.filter(public_id__in=ids)
        if keys := list(rows.order_by("id").values_list("pk", flat=True)[: settings.OVEN_BULK_LIMIT + 1]):
            targets[kind.name] = keys
    return within_limit(targets)


def within_limit(targets: Targets) -> Targets:
    if count(targets) > settings.OVEN_BULK_LIMIT:
        raise BadRequest(
            "piece", f"More than {settings.OVEN_BULK_LIMIT:,} at once: narrow the filter.", settings.OVEN_BULK_LIMIT
        )
    return targets


def count(targets: Targets) -> int:
    return sum(map(len, targets.values()))


def text(verb: BulkVerb, targets: Targets) -> str:
    """ "Requeue 12 grabs and 3 bakes"."""
    parts = [f"{len(keys):,} {_noun(name, len(keys))}" for name, keys in targets.items() if keys]
    return f"{verb.label} {' and '.join(parts) or 'nothing'}"


def _noun(name: str, number: int) -> str:
    if name not in registry.names():
        return "piece" if number == 1 else "pieces"
    meta = registry.get(name).model._meta
    return str(meta.verbose_name if number == 1 else meta.verbose_name_plural)


# --- requeue --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Requeued:
    """What was requeued: one `job`, the new row, or several as an `action` that can be undone."""

    job: Job | None = None
    action: BulkAction | None = None


def requeue(*querysets: QuerySet[Any], user: Any, skip_cache: bool = False) -> Requeued:
    """Submit new jobs that do the same as ended ones: one row, a selection, or all that a filter finds.

    One job is queued at once: it can be cancelled while it waits. Several are a bulk action that can be undone before
    it starts. Raises BadRequest when none has ended, when one cannot be requeued, or for more than the limit; and
    whatever submitting one job raises.
    """
    targets: Targets = {}
    for rows in querysets:
        kind = registry.get(rows.model.kind)
        ended = rows.filter(state__in=ENDED).order_by("pk")
        if kind.can_requeue and (keys := list(ended.values_list("pk", flat=True)[: settings.OVEN_BULK_LIMIT + 1])):
            targets[kind.name] = keys
    match count(within_limit(targets)):
        case 0:
            raise BadRequest("ids", "ids: none of these jobs has ended and can be requeued.")
        case 1:
            [(name, [key])] = targets.items()
            kind = registry.get(name)
            return Requeued(job=_requeue_one(kind, kind.model._default_manager.get(pk=key), user, skip_cache))
    return Requeued(action=start(BulkVerb.AGAIN, targets, user=user, skip_cache=skip_cache))


def _requeue_one(kind: JobKind, row: Job, user: Any, skip_cache: bool) -> Job:
    job = kind.requeue(row, user=user, skip_cache=skip_cache)
    row.requeued_at = timezone.now()
    type(row)._default_manager.filter(pk=row.pk).update(requeued_at=row.requeued_at)
    stream.publish_job("job.ended", row)  # lists show that it was requeued
    return job


# --- the action -----------------------------------------------------------------------------------------------------


def start(verb: BulkVerb, targets: Targets, *, user: Any, lane: str = "", skip_cache: bool = False) -> BulkAction:
    """Nothing is carried out before the undo window closes. Grabs asked for again wait in the queue at once."""
    due = timezone.now() + timedelta(seconds=settings.OVEN_UNDO_S)
    action = BulkAction(
        public_id=f"bulk-{secrets.token_hex(6)}",
        action=verb,
        asked=count(targets),
        targets=targets,
        spec={"lane": lane, "skipCache": skip_cache, "text": text(verb, targets)},
        requested_by=user,
        due_at=due,
        source="live",
    )
    lifecycle.submit(action)
    if verb == BulkVerb.AGAIN:
        for kind in [registry.get(name) for name in targets]:
            if kind.clones:
                _queue_copies(action, kind, due)
    announce(action)
    return action


def _queue_copies(action: BulkAction, kind: JobKind, due: datetime) -> None:
    """Insert the new rows in short transactions, so that other writers do not wait long."""
    shared = {
        "bulk": action,
        "due_at": due,
        "lane": Lane.BATCH,
        "requested_by": action.requested_by,
    }
    for keys in _chunks(action.targets[kind.name]):
        rows = kind.model._default_manager.filter(pk__in=keys).order_by("id")
        insert_many(kind.model, kind.clone_fields(rows, skip_cache=action.spec["skipCache"]), shared)
        kind.model._default_manager.filter(pk__in=keys).update(requeued_at=timezone.now())


def take_back(action: BulkAction) -> int:
    """Rows of an undone action that have not started leave the queue without a trace. Returns how many."""
    taken = 0
    for kind in [registry.get(name) for name in action.targets if name in registry.names()]:
        if kind.clones:
            rows = kind.model._default_manager.filter(bulk=action, state=State.QUEUED, attempt=0)
            taken += rows.delete()[0]
            for keys in _chunks(action.targets[kind.name]):
                sources = kind.model._default_manager.filter(pk__in=keys, requeued_as__isnull=True)
                sources.update(requeued_at=None)
    return taken


def announce(action: BulkAction) -> None:
    transaction.on_commit(lambda: stream.publish_bulk(view(action)))


def view(action: BulkAction) -> dict[str, Any]:
    """For live pages."""
    return {
        "id": action.public_id,
        "action": action.action,
        "count": action.asked,
        "done": action.done,
        "state": str(action.state),
        "by": str(action.requested_by or ""),
        "undoUntil": stream.epoch_ms(action.due_at),
        "text": action.spec.get("text", ""),
    }


def under_way() -> list[BulkAction]:
    """Those that can still be undone, or are being carried out."""
    return list(BulkAction.objects.filter(state__in=ACTIVE).select_related("requested_by").order_by("id"))


# --- carrying it out ------------------------------------------------------------------------------------------------


def _queued(action: BulkAction) -> dict[str, int]:
    """Rows by kind that wait in the queue already: the sweep sends them on their way."""
    if action.action != BulkVerb.AGAIN:
        return {}
    kinds = [registry.get(name) for name in action.targets]
    return {kind.name: kind.model._default_manager.filter(bulk=action).count() for kind in kinds if kind.clones}


def _carry_out(action: BulkAction, name: str, key: Any) -> bool:
    """True when it was; what does not allow it (any more) is left alone."""
    if verb := registry.verb(action.action):
        return bool(verb(key))
    kind = registry.get(name)
    row: Job | None = kind.model._default_manager.filter(pk=key).first()
    if row is None:
        return False
    try:
        return _CARRY_OUT[BulkVerb(action.action)](action, kind, row)
    except (lifecycle.StateMismatch, admission.QueueFull, BadRequest):
        return False


def _again(action: BulkAction, kind: JobKind, row: Job) -> bool:
    _requeue_one(kind, row, action.requested_by, action.spec["skipCache"])
    return True


def _cancel(action: BulkAction, kind: JobKind, row: Job) -> bool:
    lifecycle.cancel(row)
    return True


def _move(action: BulkAction, kind: JobKind, row: Job) -> bool:
    lifecycle.move(row, Lane(action.spec["lane"]))
    return True


_CARRY_OUT: dict[BulkVerb, Callable[[BulkAction, JobKind, Any], bool]] = {
    BulkVerb.AGAIN: _again,
    BulkVerb.CANCEL: _cancel,
    BulkVerb.LANE: _move,
}


def _chunks(keys: list[Any]) -> Iterator[list[Any]]:
    for at in range(0, len(keys), CHUNK):
        yield keys[at : at + CHUNK]


# --- the kind -------------------------------------------------------------------------------------------------------


class BulkRunner(JobRunner):
    """Carry out a bulk action once its undo window has closed. A later attempt goes on where an earlier one ended."""

    name = "bulk"
    model = BulkAction
    pool = "deliver"
    timeout_s = 900
    max_concurrent = 2

    def run(self, context: JobContext) -> None:
        action: BulkAction = context.job
        queued = _queued(action)
        todo = [(name, key) for name, keys in action.targets.items() if name not in queued for key in keys]
        begin = int(action.spec.get("at", 0))
        done = action.done or sum(queued.values())
        for at, (name, key) in enumerate(todo[begin:], start=begin + 1):
            done += _carry_out(action, name, key)
            if at % SAVE_EVERY == 0:
                context.look()
                context.report("acting", 100 * at // len(todo), f"{at:,} of {len(todo):,}")
                BulkAction.objects.filter(pk=action.pk).update(done=done, spec={**action.spec, "at": at})
        lifecycle.finish(action, context.spans, done=done)
        stream.log("success", f"{action.spec['text']}: {done:,} done")


def action_ended(jobs: Sequence[BulkAction], **_: Any) -> None:
    """Delete the jobs that an undone action has queued, except those that others wait for by now."""
    for action in jobs:
        if action.state == State.CANCELLED:
            take_back(action)
        announce(action)
