"""Many at once: counted first, carried out after the undo window, taken back within it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from captures.frozen import freeze
from captures.models import FrozenPiece, Grab
from captures.services import QueueFull, ask
from oven.errors import BadRequest
from oven.jobs import bulk, lifecycle, queue, reconcile, registry, worker
from oven.jobs.filters import Filter
from oven.jobs.models import DEMO, BulkAction
from oven.jobs.states import BulkVerb, Lane, State

pytestmark = pytest.mark.django_db(transaction=True)
GRAB = "grab"


@pytest.fixture
def failed(grab: Any) -> list[Grab]:
    """Three grabs that failed, of three pieces."""
    made = [grab(piece=piece) for piece in ("orbit", "bloom", "still")]
    Grab.objects.update(state=State.FAILED, error_code="timeout", attempt=3, ended_at=timezone.now())
    return made


def found(verb: BulkVerb, **wanted: str) -> bulk.Targets:
    return bulk.find(verb, Filter(**wanted), [], lambda kind: True)


def start(verb: BulkVerb, targets: bulk.Targets, **more: Any) -> BulkAction:
    return bulk.start(verb, targets, user=None, **more)


def carry_out(action: BulkAction) -> BulkAction:
    """The window closes, and the light worker takes the action up."""
    BulkAction.objects.filter(pk=action.pk).update(due_at=timezone.now())
    Grab.objects.filter(bulk=action).update(due_at=timezone.now())
    job = lifecycle.claim("bulk", action.pk, "here")
    assert job is not None
    worker._perform(job, "")
    action.refresh_from_db()
    return action


# --- counting -------------------------------------------------------------------------------------------------------


def test_a_verb_finds_what_allows_it(failed: list[Grab], grab: Any) -> None:
    waiting = grab(piece="loop")
    assert found(BulkVerb.AGAIN) == {GRAB: [row.pk for row in failed]}
    assert found(BulkVerb.CANCEL) == found(BulkVerb.LANE) == {GRAB: [waiting.pk]}


def test_the_filter_counts_whatever_it_names(failed: list[Grab]) -> None:
    assert bulk.count(found(BulkVerb.AGAIN, piece="BLO")) == 1
    assert bulk.count(found(BulkVerb.AGAIN, code="timeout", state="failed", kind=GRAB)) == 3
    assert bulk.count(found(BulkVerb.AGAIN, code="other")) == 0
    assert bulk.text(BulkVerb.AGAIN, found(BulkVerb.AGAIN)) == "Requeue 3 grabs"
    assert bulk.text(BulkVerb.AGAIN, {}) == "Requeue nothing"


def test_kinds_that_somebody_may_not_act_on_are_left_out(failed: list[Grab]) -> None:
    assert bulk.find(BulkVerb.AGAIN, Filter(), [], lambda kind: kind.name != GRAB) == {}


def test_ids_narrow_it(failed: list[Grab]) -> None:
    one = bulk.find(BulkVerb.AGAIN, Filter(), [failed[1].public_id], lambda kind: True)
    assert one == {GRAB: [failed[1].pk]}


def test_more_than_the_limit_is_refused(failed: list[Grab], settings: Any) -> None:
    settings.OVEN_BULK_LIMIT = 2
    with pytest.raises(BadRequest, match="More than 2 at once"):
        found(BulkVerb.AGAIN)


# --- requeueing -----------------------------------------------------------------------------------------------------


def test_requeued_rows_wait_at_once_but_are_due_after_the_window(failed: list[Grab]) -> None:
    action = start(BulkVerb.AGAIN, found(BulkVerb.AGAIN))
    rows = Grab.objects.filter(bulk=action)
    assert [row.requeued_from_id for row in rows.order_by("id")] == [row.pk for row in failed]
    assert {(row.state, row.lane, row.source) for row in rows} == {(State.QUEUED, Lane.BATCH, "again")}
    assert len(set(rows.values_list("public_id", flat=True))) == 3
    assert all(lifecycle.claim(GRAB, row.pk, "here") is None for row in rows)
    reconcile.sweep()
    assert queue.under_way(registry.get(GRAB)).isdisjoint(queue.message_id(row) for row in rows)


def test_after_the_window_they_are_sent_on_their_way(failed: list[Grab]) -> None:
    action = carry_out(start(BulkVerb.AGAIN, found(BulkVerb.AGAIN)))
    assert (action.state, action.done) == (State.COMPLETE, 3)
    reconcile.sweep()
    rows = Grab.objects.filter(bulk=action)
    assert {queue.message_id(row) for row in rows} <= queue.under_way(registry.get(GRAB))


def test_undo_takes_all_back(failed: list[Grab]) -> None:
    before = set(Grab.objects.values_list("pk", "state"))
    action = start(BulkVerb.AGAIN, found(BulkVerb.AGAIN))
    lifecycle.cancel(action)
    assert set(Grab.objects.values_list("pk", "state")) == before
    assert action.state == State.CANCELLED


# --- requeue --------------------------------------------------------------------------------------------------------


def test_one_row_is_requeued_at_once_and_linked(failed: list[Grab]) -> None:
    found = bulk.requeue(Grab.objects.filter(pk=failed[0].pk), user=None)
    assert found.action is None and isinstance(found.job, Grab)
    assert (found.job.requeued_from, found.job.state, found.job.due_at) == (failed[0], State.QUEUED, None)
    assert queue.message_id(found.job) in queue.under_way(registry.get(GRAB))
    failed[0].refresh_from_db()
    assert failed[0].requeued_at is not None
    assert list(failed[0].requeued_as.all()) == [found.job]


def test_several_are_one_action_that_can_be_undone(failed: list[Grab]) -> None:
    found = bulk.requeue(Grab.objects.all(), user=None)
    assert found.job is None and found.action is not None
    assert (found.action.asked, found.action.spec["text"]) == (3, "Requeue 3 grabs")
    assert Grab.objects.filter(requeued_at__isnull=False).count() == 3
    lifecycle.cancel(found.action)
    assert Grab.objects.count() == 3
    assert not Grab.objects.filter(requeued_at__isnull=False).exists()


def test_rows_that_have_not_ended_are_not_requeued(failed: list[Grab], grab: Any) -> None:
    waiting = grab(piece="loop")
    with pytest.raises(BadRequest, match="none of these jobs has ended"):
        bulk.requeue(Grab.objects.filter(pk=waiting.pk), user=None)
    found = bulk.requeue(Grab.objects.filter(pk__in=[waiting.pk, failed[0].pk]), user=None)
    assert found.job is not None and found.job.requeued_from_id == failed[0].pk


def test_a_failure_that_was_requeued_is_no_open_failure(failed: list[Grab]) -> None:
    open_failures = Filter(state="failed").rows(registry.get(GRAB))
    assert open_failures.count() == 3
    bulk.requeue(Grab.objects.filter(pk=failed[0].pk), user=None)
    assert set(open_failures.all()) == set(failed[1:])
    assert found(BulkVerb.AGAIN, state="failed") == {GRAB: [row.pk for row in failed[1:]]}


def test_what_the_demo_has_made_stays_the_demos(failed: list[Grab]) -> None:
    Grab.objects.update(source=DEMO)
    bulk.requeue(Grab.objects.filter(pk=failed[0].pk), user=None)
    bulk.requeue(Grab.objects.filter(pk__in=[row.pk for row in failed[1:]]), user=None)
    assert set(Grab.objects.values_list("source", flat=True)) == {DEMO}


def test_what_is_active_already_stays_one(failed: list[Grab], grab: Any) -> None:
    grab(piece="orbit")
    action = start(BulkVerb.AGAIN, found(BulkVerb.AGAIN))
    assert Grab.objects.filter(bulk=action).count() == 2


def test_what_is_in_the_cache_is_left_out_unless_told_otherwise(failed: list[Grab], monkeypatch: Any) -> None:
    from oven.storage.models import Artifact

    artifact = Artifact.objects.create(store="art", key="x.webp", mime="image/webp", bytes=1, sha256="0" * 64)
    later = timezone.now() + timedelta(days=1)
    Grab.objects.filter(pk=failed[0].pk).update(state=State.COMPLETE, artifact=artifact, expires_at=later)
    assert Grab.objects.filter(bulk=start(BulkVerb.AGAIN, found(BulkVerb.AGAIN))).count() == 2
    anew = start(BulkVerb.AGAIN, found(BulkVerb.AGAIN), skip_cache=True)
    assert Grab.objects.filter(bulk=anew).count() == 1  # the other two wait already


def test_whoever_asks_for_one_of_them_does_not_wait_for_the_window(failed: list[Grab], wish: Any) -> None:
    action = start(BulkVerb.AGAIN, found(BulkVerb.AGAIN))
    asked = ask(wish(piece="bloom"))
    assert asked.joined
    assert (asked.grab.bulk, asked.grab.due_at, asked.grab.lane) == (None, None, Lane.NOW)
    lifecycle.cancel(action)
    assert Grab.objects.filter(pk=asked.grab.pk).exists()


def test_what_staff_requeue_does_not_fill_the_queue_for_others(failed: list[Grab], wish: Any, settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING = 2
    start(BulkVerb.AGAIN, found(BulkVerb.AGAIN))
    ask(wish(piece="loop"))
    ask(wish(piece="loop", width=65))
    with pytest.raises(QueueFull):
        ask(wish(piece="loop", width=66))


# --- the other verbs ------------------------------------------------------------------------------------------------


def test_cancelling_waits_for_the_window(grab: Any) -> None:
    waiting = [grab(piece="orbit"), grab(piece="bloom")]
    action = start(BulkVerb.CANCEL, found(BulkVerb.CANCEL))
    assert Grab.objects.filter(state=State.QUEUED).count() == 2
    lifecycle.cancel(waiting[0])
    action = carry_out(action)
    assert (action.done, action.asked) == (1, 2)
    assert Grab.objects.filter(state=State.CANCELLED).count() == 2


def test_moving_to_another_lane(grab: Any) -> None:
    grab(piece="orbit")
    carry_out(start(BulkVerb.LANE, found(BulkVerb.LANE), lane="batch"))
    assert Grab.objects.get().lane == Lane.BATCH


def test_unfreezing(valkey: Any) -> None:
    for piece in ("still", "solid"):
        freeze(piece, "by hand")
    carry_out(start(BulkVerb.UNFREEZE, {"frozen": ["still", "solid"]}))
    assert not FrozenPiece.objects.exists()


def test_an_undone_action_is_never_carried_out(grab: Any) -> None:
    grab(piece="orbit")
    action = start(BulkVerb.CANCEL, found(BulkVerb.CANCEL))
    lifecycle.cancel(action)
    BulkAction.objects.update(due_at=timezone.now())
    assert lifecycle.claim("bulk", action.pk, "here") is None
    assert Grab.objects.get().state == State.QUEUED


def test_a_second_attempt_goes_on_where_the_first_one_ended(grab: Any) -> None:
    rows = [grab(piece="orbit"), grab(piece="bloom")]
    action = start(BulkVerb.CANCEL, found(BulkVerb.CANCEL))
    BulkAction.objects.filter(pk=action.pk).update(spec={**action.spec, "at": 1}, done=1)
    action.refresh_from_db()
    assert carry_out(action).done == 2
    rows[0].refresh_from_db()
    assert rows[0].state == State.QUEUED
