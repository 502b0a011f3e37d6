"""Of each anonymous client only the first few waiting jobs have a message."""

from __future__ import annotations

from typing import Any

import pytest

from captures.services import ask
from oven.accounts import throttles
from oven.jobs import lifecycle, queue, reconcile, registry, turns
from oven.jobs.states import Lane

pytestmark = pytest.mark.django_db
ONE, OTHER = "client:192.0.2.7", "client:192.0.2.8"


@pytest.fixture(autouse=True)
def two_workers(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_at_once", lambda kind: 2)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a commit follows at once."""
    monkeypatch.setattr("oven.jobs.lifecycle.transaction.on_commit", lambda call: call())


def asks(name: str, wish: Any, count: int) -> list[Any]:
    with throttles.paid_by(name):
        return [ask(wish(cacheKey=f"{name}{number}")).grab for number in range(count)]


def messages() -> list[str]:
    """Ids of the rows that have one, in the order in which they are served."""
    import django_rq

    return [name for lane in Lane.values for name in django_rq.get_queue(f"capture.{lane}").get_job_ids()]


def ids(*jobs: Any) -> list[str]:
    return [queue.message_id(job) for job in jobs]


def test_who_comes_later_waits_behind_a_few_and_not_behind_all(wish: Any) -> None:
    many = asks(ONE, wish, 5)
    late = asks(OTHER, wish, 1)
    known = asks("token:1", wish, 3)
    assert messages() == ids(*many[:2], *late, *known)


def test_the_next_one_has_its_turn_when_one_has_ended_in_whatever_way(wish: Any) -> None:
    many = asks(ONE, wish, 6)
    running: Any = lifecycle.claim("grab", many[0].pk, "a:1:1")
    lifecycle.finish(running, {})
    assert messages() == ids(*many[:3])
    lifecycle.cancel(many[1])
    assert messages() == ids(*many[:4])
    failing: Any = lifecycle.claim("grab", many[2].pk, "a:1:1")
    lifecycle.fail(failing, "crashed", "It crashed.", retry=True)
    assert messages() == ids(*many[:5])


def test_the_sweep_keeps_the_turns(wish: Any, monkeypatch: pytest.MonkeyPatch, valkey: Any) -> None:
    monkeypatch.setattr(reconcile, "SETTLE_S", 0.0)
    many, late = asks(ONE, wish, 5), asks(OTHER, wish, 3)
    lifecycle.claim("grab", many[0].pk, "a:1:1")
    valkey.flushall()
    reconcile.enqueue_missing(registry.get("grab"))
    assert sorted(messages()) == sorted(ids(many[1], *late[:2]))


def test_each_lane_has_turns_of_its_own(wish: Any) -> None:
    with throttles.paid_by(ONE):
        heavy = [ask(wish(width=1000, height=1000, fps=20, cacheKey=str(number))).grab for number in range(3)]
    light = asks(ONE, wish, 1)
    assert messages() == ids(*light, *heavy[:2])
