from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models import ProtectedError
from django.utils import timezone

from captures.models import Grab
from captures.services import delete_expired
from oven.jobs import admission, lifecycle, worker
from oven.jobs.models import Attempt
from oven.jobs.states import Lane, State
from oven.storage import stores
from oven.storage.models import Artifact
from pins import services
from pins.models import Keep, Pin, bare, new_id, protected_artifacts
from pins.runner import content_of
from pins.services import capture_and_pin, pin, pin_again
from tests.pinning_server import PinningServer, hang, tell_tale, wait, wrong
from tests.support import finished, picture, until

pytestmark = pytest.mark.django_db(transaction=True)  # pins are run by threads with connections of their own
Ended = Callable[[Pin], Pin]


@pytest.fixture(autouse=True)
def _queue(valkey: Any) -> None:
    """Asking needs it."""


def age(moment: Any, **by: int) -> Any:
    return moment - timedelta(**by)


# --- pinning what is there ------------------------------------------------------------------------------------------


def test_a_pinned_grab_leaves_a_keep_with_a_copy_of_its_own(service: PinningServer, done: Any, ended: Ended) -> None:
    grab = done(piece="$roz")
    row = ended(pin(grab))
    keep = Keep.objects.get()
    assert (row.state, row.cid, row.found) == (State.COMPLETE, keep.cid, False)
    assert (keep.piece, keep.grab, keep.backend, keep.format, keep.mime) == (
        "roz",
        grab,
        "pinata",
        "png",
        "image/png",
    )
    assert keep.artifact.key == f"ipfs/{keep.cid}.png"
    assert keep.artifact.expires_at is None
    assert keep.artifact.sha256 == grab.artifact.sha256 == keep.sha256
    assert service.times == {keep.cid: 1}
    assert service.uploads[0].filename == "roz-thumbnail.png"
    assert Grab.objects.get(pk=grab.pk).ipfs_cid == keep.cid


@pytest.mark.django_db
def test_its_address_is_the_gateways_or_our_own(
    service: PinningServer, done: Any, ended_here: Ended, settings: Any
) -> None:
    grab = done()
    ended_here(pin(grab))
    keep = Keep.objects.get()
    assert keep.url == f"https://ipfs.aesthetic.computer/ipfs/{keep.cid}"
    settings.OVEN_IPFS_GATEWAY = "https://gateway.example/ipfs"
    assert keep.url == f"https://gateway.example/ipfs/{keep.cid}"
    ended_here(pin(grab, backend="local"))
    assert Keep.objects.get(backend="local").url == f"/ipfs/{keep.cid}"


@pytest.mark.django_db
@pytest.mark.parametrize("backend", ["pinata", "kubo", "local"])
def test_every_back_end_does(service: PinningServer, done: Any, ended_here: Ended, backend: str) -> None:
    row = ended_here(pin(done(), backend=backend))
    assert (row.state, Keep.objects.get().backend) == (State.COMPLETE, backend)
    assert len(service.uploads) == (0 if backend == "local" else 1)


@pytest.mark.django_db
def test_a_bake_and_a_bundle_are_pinned_too(
    service: PinningServer, done: Any, ended_here: Ended, tmp_path: Path, settings: Any
) -> None:
    from bakes.models import Bake
    from bundles.models import Bundle

    video = stores.keep(picture(tmp_path / "v"), "tapes/abc.mp4", "video/mp4", store="blobs")
    page = stores.keep(picture(tmp_path / "p", b"<p>"), "bundles/x", "application/octet-stream", store="blobs")
    bake = Bake.objects.create(public_id="bake-abc-1", code="abc", state=State.COMPLETE, video=video)
    bundle = Bundle.objects.create(public_id="bundle-roz-1", piece="$roz", state=State.COMPLETE, artifact=page)
    rows = [ended_here(pin(job)) for job in (bake, bundle)]
    assert [(row.state, row.piece, row.filename) for row in rows] == [
        (State.COMPLETE, "abc", "abc.mp4"),
        (State.COMPLETE, "roz", "roz.html"),
    ]
    assert {keep.mime for keep in Keep.objects.all()} == {"video/mp4", "text/html; charset=utf-8"}
    assert Keep.objects.newest() is None  # whoever follows /keeps/latest expects a picture


@pytest.mark.django_db
def test_a_bake_that_changes_later_does_not_change_its_keep(
    service: PinningServer, ended_here: Ended, tmp_path: Path
) -> None:
    from bakes.models import Bake

    video = stores.keep(picture(tmp_path / "v", b"first"), "tapes/abc.mp4", "video/mp4", store="blobs")
    bake = Bake.objects.create(public_id="bake-abc-1", code="abc", state=State.COMPLETE, video=video)
    ended_here(pin(bake))
    stores.keep(picture(tmp_path / "v", b"second"), "tapes/abc.mp4", "video/mp4", store="blobs")
    keep = Keep.objects.get()
    path = stores.local_path(keep.artifact.store, keep.artifact.key)
    assert path is not None
    assert path.read_bytes() == b"first"


@pytest.mark.django_db
@pytest.mark.parametrize("state", [State.QUEUED, State.FAILED])
def test_what_has_no_file_is_refused(service: PinningServer, grab: Any, state: State) -> None:
    job = grab()
    Grab.objects.update(state=state)
    job.refresh_from_db()
    with pytest.raises(services.Refused):
        pin(job)


@pytest.mark.django_db
def test_a_back_end_without_credentials_is_refused_at_once(done: Any) -> None:
    with pytest.raises(services.Refused, match="OVEN_KUBO_URL"):
        pin(done(), backend="kubo")


@pytest.mark.django_db
def test_the_same_pin_is_joined_while_it_is_active(service: PinningServer, done: Any) -> None:
    grab = done()
    assert pin(grab) == pin(grab)
    assert pin(grab, backend="kubo") != pin(grab)


@pytest.mark.django_db
def test_a_full_queue_takes_no_more(service: PinningServer, done: Any, settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING = 1
    grab = done()
    pin(grab)
    with pytest.raises(admission.QueueFull):
        pin(grab, backend="kubo")


# --- one pin a file -------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_file_that_was_pinned_before_is_found_not_sent(
    service: PinningServer, done: Any, ended_here: Ended
) -> None:
    grab = done()
    first = ended_here(pin(grab))
    again = ended_here(pin(grab))
    assert (first.found, again.found, again.cid) == (False, True, first.cid)
    assert (len(service.uploads), Keep.objects.count()) == (1, 1)


def test_tries_are_attempts_and_end_with_one_pin(service: PinningServer, done: Any, ended: Ended) -> None:
    service.answers = [500, wait("1")]
    row = ended(pin(done()))
    codes = list(Attempt.objects.filter(kind="pin").order_by("number").values_list("error_code", flat=True))
    assert (row.state, row.attempt, codes) == (State.COMPLETE, 3, ["http_status", "rate_limited", ""])
    assert list(service.times.values()) == [1]
    assert service.uploads[2].at - service.uploads[1].at >= 1


def test_an_answer_that_never_came_is_looked_for(
    service: PinningServer, done: Any, ended: Ended, settings: Any
) -> None:
    settings.OVEN_PIN_LIMIT_S = 0.5
    service.answers = [hang(1.5, pinned=True)]
    row = ended(pin(done()))
    assert (row.state, row.attempt, row.found) == (State.COMPLETE, 2, True)
    assert (len(service.uploads), list(service.times.values())) == (1, [1])


def test_after_the_last_try_it_is_for_staff(service: PinningServer, done: Any, ended: Ended) -> None:
    service.answers = [500] * 4
    row = ended(pin(done()))
    assert (row.state, row.attempt, row.error_code) == (State.FAILED, 4, "http_status")
    assert not Keep.objects.exists()
    again = ended(pin_again(row))
    assert (again.state, Keep.objects.count()) == (State.COMPLETE, 1)


@pytest.mark.django_db
def test_a_wrong_cid_keeps_nothing(service: PinningServer, done: Any, ended_here: Ended) -> None:
    service.answers = [wrong]
    row = ended_here(pin(done()))
    assert (row.state, row.attempt, row.error_code) == (State.FAILED, 1, "cid_mismatch")
    assert not Keep.objects.exists()


@pytest.mark.django_db
def test_a_file_that_is_gone_is_a_failure_of_the_store(service: PinningServer, done: Any, ended_here: Ended) -> None:
    grab = done()
    stores.drop_key(grab.artifact.key)
    assert ended_here(pin(grab)).error_code == "store"


def test_a_pin_is_cancelled_while_it_is_under_way(service: PinningServer, done: Any, ended: Ended) -> None:
    service.answers = [hang(3)]
    row = pin(done())
    worker.perform("pin", row.pk)
    until(lambda: service.uploads, 5)
    row.refresh_from_db()
    lifecycle.cancel(row)
    assert ended(row).state == State.CANCELLED
    assert not Keep.objects.exists()


def test_a_lost_worker_costs_an_attempt_and_no_second_pin(service: PinningServer, done: Any, ended: Ended) -> None:
    """It had sent the file, and died before the answer came."""
    grab = done()
    first = pin(grab)
    claimed: Any = lifecycle.claim("pin", first.pk, "gone:1:1")
    local = stores.local_path("art", grab.artifact.key)
    assert local is not None
    wanted = content_of(local, "roz")
    service.pinned = {wanted.wanted: f"orbit-thumbnail.png-{wanted.sha256[:16]}"}
    Pin.objects.filter(pk=claimed.pk).update(heartbeat_at=age(timezone.now(), minutes=5))
    row = ended(first)
    assert (row.state, row.attempt, row.found) == (State.COMPLETE, 2, True)
    assert service.uploads == []


# --- together with a capture ----------------------------------------------------------------------------------------


def test_a_pin_waits_for_its_capture_whoever_asked_has_gone(
    service: PinningServer, wish: Any, ended: Ended, tmp_path: Path
) -> None:
    asked = capture_and_pin(wish(piece="$roz", format="png"), source="keep", keep_id="77")
    row, grab = asked.pin, asked.pin.grab
    assert grab is not None
    assert (asked.cached, row.lane, grab.lane, row.keep_id) == (False, Lane.KEEP, Lane.KEEP, "77")
    worker.perform("pin", row.pk)
    row.refresh_from_db()
    assert (row.state, row.attempt) == (State.QUEUED, 0)
    finished(grab, tmp_path)
    row.refresh_from_db()
    assert row.due_at is None
    assert ended(row).state == State.COMPLETE
    keep = Keep.objects.get()
    assert (keep.keep_id, keep.source, keep.asked) == ("77", "keep", True)


@pytest.mark.django_db
def test_a_pin_of_a_cached_capture_is_due_at_once(service: PinningServer, done: Any, wish: Any) -> None:
    grab = done()
    asked = capture_and_pin(wish(format="png"))
    assert (asked.cached, asked.pin.grab, asked.pin.due_at) == (True, grab, None)


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_a_capture_that_fails_fails_its_pin(service: PinningServer, wish: Any, ended: Ended, end: str) -> None:
    row = capture_and_pin(wish()).pin
    if end == "cancel":
        lifecycle.cancel(row.grab)
    else:
        lifecycle.fail(lifecycle.claim("grab", row.grab_id, "a:1:1"), "blank", "It drew nothing.", retry=False)
    row = ended(row)
    assert (row.state, row.error_code) == (State.FAILED, "capture")
    assert "It drew nothing." in row.error_message or end == "cancel"
    assert service.uploads == []


@pytest.mark.django_db
def test_a_retried_capture_does_not_release_its_pin(service: PinningServer, wish: Any) -> None:
    row = capture_and_pin(wish()).pin
    lifecycle.fail(lifecycle.claim("grab", row.grab_id, "a:1:1"), "crash", "It crashed.", retry=True)
    row.refresh_from_db()
    assert row.due_at is not None


# --- what lasts -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_no_housekeeping_takes_a_keeps_file(service: PinningServer, done: Any, ended_here: Ended) -> None:
    grab = done()
    ended_here(pin(grab))
    Artifact.objects.update(expires_at=age(timezone.now(), days=1))
    keep = Keep.objects.get()
    assert set(protected_artifacts()) == {keep.artifact}
    assert delete_expired() == {"expired": 1}  # the grab's own
    assert Artifact.objects.get() == keep.artifact
    assert stores.local_path(keep.artifact.store, keep.artifact.key)
    Grab.objects.all().delete()
    keep.refresh_from_db()
    assert keep.grab is None
    with pytest.raises(ProtectedError):
        keep.artifact.delete()


@pytest.mark.django_db
def test_a_file_that_is_being_pinned_is_protected_until_then(
    service: PinningServer, done: Any, ended_here: Ended
) -> None:
    grab = done()
    row = pin(grab)
    Artifact.objects.update(expires_at=age(timezone.now(), days=1))
    assert delete_expired() == {"expired": 0}
    ended_here(row)
    assert delete_expired() == {"expired": 1}


@pytest.mark.django_db
def test_a_check_finds_the_pin_or_renews_it_and_does_not_make_an_old_keep_the_newest(
    service: PinningServer, done: Any, ended_here: Ended, wish: Any
) -> None:
    grab = done(piece="old")
    done(piece="new")
    for piece in ("old", "new"):
        ended_here(capture_and_pin(wish(piece=piece, format="png")).pin)
    keep = Keep.objects.get(piece="old")
    before = keep.pinned_at
    assert ended_here(pin_again(keep)).found is True
    service.pinned.clear()
    stores.drop_key(grab.artifact.key)
    assert ended_here(pin_again(keep)).found is False
    keep.refresh_from_db()
    assert keep.pinned_at == before < keep.checked_at
    assert Keep.objects.newest() == Keep.objects.get(piece="new")
    assert len(service.uploads) == 2


@pytest.mark.django_db
def test_the_newest_is_what_callers_ask_for_not_what_staff_pin(
    service: PinningServer, done: Any, ended_here: Ended, wish: Any, tmp_path: Path
) -> None:
    done(piece="$mint")
    ended_here(capture_and_pin(wish(piece="$mint", format="png")).pin)
    grab = done(piece="other", density=2)
    Artifact.objects.filter(pk=grab.artifact.pk).update(key="oven/other.png")
    stores.keep(picture(tmp_path / "o", b"another picture"), "oven/other.png", "image/png")
    ended_here(pin(grab))
    newest = Keep.objects.newest()
    assert newest is not None
    assert newest.piece == "mint"
    assert [Keep.objects.newest_of(name).piece for name in ("$other", "other")] == ["other", "other"]  # type: ignore[union-attr]
    assert set(Keep.objects.newest_by_piece()) == {"mint", "other"}


@pytest.mark.django_db
def test_every_token_has_a_keep_of_its_own(service: PinningServer, done: Any, ended_here: Ended, wish: Any) -> None:
    done()
    for token in ("1", "2", "2"):
        ended_here(capture_and_pin(wish(format="png"), keep_id=token).pin)
    assert sorted(Keep.objects.values_list("keep_id", flat=True)) == ["1", "2"]
    assert list(service.times.values()) == [1]


@pytest.mark.django_db
def test_names_are_safe_and_bare() -> None:
    assert (bare("$roz"), bare("prompt~wipe")) == ("roz", "prompt~wipe")
    assert new_id("$roz").startswith("pin-roz-")
    assert new_id("@user/ünï cöde")[:-8] == "pin-user--n--c-de-"


@pytest.mark.django_db
def test_no_secret_of_ours_is_in_a_row_or_a_log(
    service: PinningServer, done: Any, ended_here: Ended, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service.answers = [tell_tale]
    row = ended_here(pin(done()))
    assert row.error_code == "credentials"
    rows = [list(model._default_manager.values()) for model in (Pin, Attempt, Keep, Grab)]
    assert "jwt-5e2d" not in f"{rows}{caplog.text}"
    assert "jwt-5e2d" in service.uploads[0].headers["authorization"]
