from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from bakes import services
from bakes.models import Bake, Delivery, IncomingTape, Site
from oven.jobs import cleanup, lifecycle
from oven.jobs.states import State


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def claimed(row: Any) -> Any:
    job = lifecycle.claim(row.kind, row.pk, "test:1:1")
    assert job is not None
    return job


# --- the newest of a tape wins --------------------------------------------------------------------------------------


def test_a_newer_bake_replaces_one_that_waits(bake: Any) -> None:
    old, new = bake(), bake()
    assert (fresh(old).state, fresh(old).site) == (State.CANCELLED, Site.NONE)
    assert fresh(new).state == State.QUEUED
    assert not Delivery.objects.exists()


def test_a_newer_bake_waits_until_the_one_that_runs_is_gone(bake: Any) -> None:
    old = claimed(bake())
    new = bake()
    assert fresh(old).state == State.CANCELLING
    assert lifecycle.claim("bake", new.pk, "test:1:1") is None
    lifecycle.confirm_cancelled(fresh(old))
    assert claimed(new).state == State.RUNNING
    assert fresh(old).site == Site.NONE


def test_one_that_was_replaced_cannot_finish(bake: Any) -> None:
    old = claimed(bake())
    bake()
    with pytest.raises(lifecycle.StateMismatch):
        lifecycle.finish(old, {})


def test_a_message_about_an_older_bake_is_not_sent_any_more(ended: Any, bake: Any) -> None:
    old = ended(error="It broke.")
    bake()
    assert old.deliveries.get().state == State.CANCELLED
    assert fresh(old).site == Site.NONE


def test_other_tapes_are_left_alone(bake: Any) -> None:
    other, _ = bake("other"), bake("abc123")
    assert fresh(other).state == State.QUEUED


def test_again_is_a_new_row_of_the_same_tape(ended: Any) -> None:
    old = ended()
    new = services.ask_again(old)
    assert (new.requeued_from, new.zip_url, new.source) == (old, old.zip_url, "again")


# --- the site is told of every end ----------------------------------------------------------------------------------


def test_a_good_end_is_told(ended: Any, site: Any) -> None:
    delivery = ended().deliveries.get()
    assert (delivery.event, delivery.url) == ("bake.completed", f"{site.origin}/api/oven-complete")
    assert set(delivery.payload) == {"mongoId", "slug", "code", "mp4Url", "thumbnailUrl"}


def test_a_bad_end_is_told(ended: Any) -> None:
    delivery = ended(error="frame-00003.png is not a picture.").deliveries.get()
    assert delivery.event == "bake.failed"
    assert delivery.payload["error"] == "frame-00003.png is not a picture."
    assert "secret" not in delivery.payload


def test_a_cancelled_one_is_told(bake: Any) -> None:
    row = lifecycle.cancel(bake())
    assert row.deliveries.get().payload["error"] == "The bake was cancelled."


def test_one_whose_worker_is_lost_for_good_is_told(bake: Any) -> None:
    row = bake()
    Bake.objects.filter(pk=row.pk).update(max_attempts=1)
    lifecycle.recover(claimed(row))
    assert fresh(row).state == State.FAILED
    assert row.deliveries.get().event == "bake.failed"


def test_a_retry_is_not_told(bake: Any) -> None:
    row = lifecycle.fail(claimed(bake()), "tape_unreachable", "No connection.", retry=True)
    assert row.state == State.RETRYING
    assert not Delivery.objects.exists()


def test_an_accepted_message_ends_the_bake(ended: Any) -> None:
    row = ended()
    assert fresh(row).site == Site.TOLD
    lifecycle.finish(claimed(row.deliveries.get()), {})
    assert fresh(row).site == Site.DONE


def test_a_message_that_is_never_accepted_is_an_alert(ended: Any) -> None:
    row = ended()
    lifecycle.fail(claimed(row.deliveries.get()), "gone", "It wants no more.", retry=False)
    assert (fresh(row).state, fresh(row).site) == (State.COMPLETE, Site.UNDELIVERED)


def test_a_replay_is_the_same_message_again(ended: Any) -> None:
    row = ended()
    first = row.deliveries.get()
    lifecycle.fail(claimed(first), "gone", "It wants no more.", retry=False)
    second = services.replay(row)
    assert (second.message_id, second.payload, second.replay_of) == (first.message_id, first.payload, first)
    assert fresh(row).site == Site.TOLD
    lifecycle.finish(claimed(second), {})
    assert fresh(row).site == Site.DONE


def test_nothing_is_replayed_while_a_message_is_under_way(ended: Any, bake: Any) -> None:
    with pytest.raises(services.NothingToReplay):
        services.replay(ended())
    with pytest.raises(services.NothingToReplay):
        services.replay(bake("other"))


# --- what the site reports ------------------------------------------------------------------------------------------


def test_reports_count_while_the_site_is_being_told(ended: Any) -> None:
    row = ended()
    assert services.site_reports(row.code, "syncing", "Saving", trusted=False)
    assert (fresh(row).site_status, fresh(row).site_details) == ("syncing", "Saving")
    assert services.site_completes(row.code, True, "", trusted=False)
    assert (fresh(row).site, fresh(row).site_success) == (Site.DONE, True)


def test_an_answer_that_is_lost_after_the_site_is_done_is_no_alert(ended: Any) -> None:
    row = ended()
    services.site_completes(row.code, True, "", trusted=False)
    lifecycle.fail(claimed(row.deliveries.get()), "unreachable", "The connection failed.", retry=False)
    assert fresh(row).site == Site.DONE


def test_strangers_cannot_report_on_what_waits_for_no_site(ended: Any, bake: Any) -> None:
    waiting, done = bake("waiting"), ended("done")
    services.site_completes("done", True, "", trusted=False)
    for code in ("waiting", "done", "unknown"):
        assert not services.site_reports(code, "owned", "", trusted=False)
        assert not services.site_completes(code, False, "faked", trusted=False)
    assert fresh(waiting).state == State.QUEUED
    assert fresh(done).site_success is True


def test_a_token_may_report_on_any_ended_one(ended: Any) -> None:
    row = ended()
    services.site_completes(row.code, True, "", trusted=False)
    assert services.site_completes(row.code, False, "Taken down", trusted=True)
    assert fresh(row).site_success is False


# --- announced tapes ------------------------------------------------------------------------------------------------


def test_an_announced_tape_is_shown_for_a_minute(bake: Any) -> None:
    services.announce("next", "2026.11.24")
    assert [tape.code for tape in services.incoming()] == ["next"]
    IncomingTape.objects.update(detected_at=timezone.now() - timedelta(seconds=61))
    assert services.incoming() == []
    assert cleanup.run()["incoming"] == 1


def test_a_tape_that_is_baked_is_not_incoming_any_more(bake: Any) -> None:
    services.announce("abc123", "2026.11.24")
    services.announce("abc123", "2026.11.24")
    bake("abc123")
    assert not IncomingTape.objects.exists()


# --- the secret -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, "", "wrong", 7, ["shared"]])
def test_a_wrong_secret_does_not_match(settings: Any, given: Any) -> None:
    settings.OVEN_CALLBACK_SECRET = "shared"
    assert not services.secret_matches(given)
    assert services.secret_matches("shared")


@pytest.mark.parametrize("given", [None, "", "shared"])
def test_without_a_secret_nobody_matches(settings: Any, given: Any) -> None:
    settings.OVEN_CALLBACK_SECRET = ""
    assert not services.secret_matches(given)
