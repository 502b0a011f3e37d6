from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from captures import control
from captures.models import Grab
from oven.jobs import lifecycle
from oven.jobs.states import State
from tests.support import request


def running(grab: Any) -> Any:
    return lifecycle.claim("grab", grab.pk, "elsewhere:1:1")


def states() -> list[str]:
    return list(Grab.objects.order_by("id").values_list("state", flat=True))


def test_clear_cancels_what_runs_and_what_waits(grab: Any) -> None:
    running(grab(piece="orbit"))
    grab(piece="waves")
    lifecycle.fail(running(grab(piece="prism")), "timeout", "Too slow.", retry=True)
    ended = lifecycle.finish(running(grab(piece="tiles")), {})
    assert control.clear() == {"cleared": 1, "queueCleared": 2}
    assert states() == [State.CANCELLING, State.CANCELLED, State.CANCELLED, State.COMPLETE]
    ended.refresh_from_db()
    assert ended.state == State.COMPLETE


def test_clear_leaves_alone_what_is_being_cancelled(grab: Any) -> None:
    running(grab())
    control.clear()
    assert control.clear() == {"cleared": 0, "queueCleared": 0}


def test_clean_up_recovers_what_lost_its_worker(grab: Any) -> None:
    running(grab(piece="orbit"))
    running(grab(piece="waves"))
    Grab.objects.filter(piece="orbit").update(heartbeat_at=timezone.now() - timedelta(hours=1))
    assert control.clean_up() == {"cleaned": 1, "remaining": 2}
    assert states() == [State.RETRYING, State.RUNNING]


def test_both_are_routes(grab: Any, people: Any) -> None:
    grab()
    headers = people.bearer(people.steering_token)
    assert request("POST", "/grab-cleanup", headers=headers).json == {"success": True, "cleaned": 0, "remaining": 1}
    assert request("POST", "/grab-clear", headers=headers).json == {"success": True, "cleared": 0, "queueCleared": 1}


def test_a_piece_is_taken_off_the_list_by_its_address(people: Any, valkey: Any) -> None:
    from captures.frozen import freeze

    freeze("@user/still", "stands still")
    headers = people.bearer(people.steering_token)
    assert request("DELETE", "/api/frozen/@user%2Fstill", headers=headers).json["success"]
    assert request("GET", "/api/frozen").json == {"frozen": []}
