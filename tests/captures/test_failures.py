"""What has just failed is not tried again for strangers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from captures.failures import JustFailed
from captures.models import Grab
from captures.services import ask
from oven.accounts import throttles
from oven.jobs import lifecycle
from tests.support import request

pytestmark = pytest.mark.django_db
CLIENT = "client:192.0.2.7"


@pytest.fixture(autouse=True)
def _queue(valkey: Any) -> None:
    """Asking needs it."""


def fails(wish: Any, code: str, times: int = 1) -> Grab:
    """Newest of some failures in a row."""
    for _ in range(times):
        claimed = lifecycle.claim("grab", ask(wish, skip_cache=True).grab.pk, "a:1:1")
        assert claimed is not None
        failed: Any = lifecycle.fail(claimed, code, "It went wrong.", retry=False)
    return failed


def stranger(wish: Any) -> Any:
    with throttles.paid_by(CLIENT):
        return ask(wish)


@pytest.mark.parametrize("code", ["hung", "timeout", "memory", "http_status", "crashed", "blank"])
def test_a_stranger_gets_the_reason_and_when_to_come_again(wish: Any, code: str) -> None:
    failed = fails(wish(), code)
    answer = request("GET", "/grab/webp/64/64/orbit")
    assert (answer.status, answer.json["code"], answer.json["grabId"]) == (500, code, failed.public_id)
    assert answer.json["error"] == "It went wrong."
    assert 55 <= int(answer.headers["Retry-After"]) <= 60
    assert Grab.objects.count() == 1


def test_tokens_and_staff_try_again(wish: Any, people: Any) -> None:
    fails(wish(), "hung")
    with throttles.paid_by("token:1"):
        assert ask(wish()).grab.active
    Grab.objects.filter(state="queued").delete()
    assert ask(wish(), user=people.staff).grab.active


@pytest.mark.parametrize("code", ["worker_lost", "store", "internal", "browser_lost", "encode"])
def test_a_failure_of_oven_itself_is_not_held_against_the_piece(wish: Any, code: str) -> None:
    fails(wish(), code)
    assert stranger(wish()).grab.active


@pytest.mark.parametrize(
    ("code", "refused"), [("hung", True), ("http_status", True), ("memory", False), ("timeout", False)]
)
def test_only_what_has_nothing_to_do_with_the_size_counts_for_other_sizes(
    wish: Any, code: str, refused: bool
) -> None:
    fails(wish(density=8), code)
    if refused:
        with pytest.raises(JustFailed):
            stranger(wish())
    else:
        assert stranger(wish()).grab.active


def test_it_is_held_longer_with_each_failure_and_at_most_for_ten_minutes(wish: Any) -> None:
    for times, seconds in [(1, 60), (1, 120), (1, 240), (1, 480), (1, 600), (1, 600)]:
        fails(wish(), "hung", times)
        with pytest.raises(JustFailed) as held:
            stranger(wish())
        assert seconds - 3 <= held.value.retry_after_s <= seconds
    Grab.objects.update(ended_at=timezone.now() - timedelta(seconds=601))
    assert stranger(wish()).grab.active


def test_a_piece_that_works_again_is_forgiven(wish: Any) -> None:
    fails(wish(density=2), "hung", 3)
    done = lifecycle.claim("grab", ask(wish(density=3), skip_cache=True).grab.pk, "a:1:1")
    assert done is not None
    lifecycle.finish(done, {})
    assert stranger(wish()).grab.active
