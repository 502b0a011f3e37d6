"""`POST /api/requeue`: one job, several, and who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.utils import timezone

from captures.models import Grab
from oven.jobs.models import BulkAction
from oven.jobs.states import State
from tests.support import request

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def failed(grab: Any) -> list[Grab]:
    made = [grab(piece=piece) for piece in ("orbit", "bloom", "still")]
    Grab.objects.update(state=State.FAILED, error_code="timeout", attempt=3, ended_at=timezone.now())
    return made


def ask(people: Any, body: dict[str, Any]) -> Any:
    return request("POST", "/api/requeue", body=body, headers=people.bearer(people.steering_token))


def test_one_job_waits_in_the_queue_at_once(people: Any, failed: list[Grab]) -> None:
    answer = ask(people, {"ids": [failed[0].public_id]})
    assert answer.status == 200
    job = Grab.objects.get(public_id=answer.json["job"]["id"])
    assert (job.requeued_from, job.state) == (failed[0], State.QUEUED)
    assert LogEntry.objects.filter(object_id=str(job.pk), change_message="requeued by the API").count() == 1


def test_all_that_match_are_one_action_with_one_line_of_audit(people: Any, failed: list[Grab]) -> None:
    answer = ask(people, {"state": "failed", "code": "timeout"})
    assert answer.json["bulk"]["text"] == "Requeue 3 grabs"
    assert BulkAction.objects.get().asked == Grab.objects.filter(state=State.QUEUED).count() == 3
    (line,) = LogEntry.objects.all()
    assert line.change_message == "Requeue 3 grabs, by the API"


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "ids"), ({"ids": ["none-12345678"]}, "ids"), ({"kind": "cake"}, "kind"), ({"state": "burnt"}, "state")],
)
def test_what_is_wrong_is_named(people: Any, failed: list[Grab], body: dict[str, Any], field: str) -> None:
    answer = ask(people, body)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert Grab.objects.count() == 3


def test_staff_requeue_only_kinds_that_they_may_start(people: Any, failed: list[Grab]) -> None:
    """The scope `steer` is the permission to change grabs; a bake, or here a grab, needs its own to be started."""
    body = {"ids": [failed[0].public_id]}
    user = people.viewer
    user.user_permissions.add(Permission.objects.get(codename="change_grab"))
    answer = request("POST", "/api/requeue", body=body, user=user)
    assert (answer.status, answer.json["field"]) == (400, "ids")
    user.user_permissions.add(Permission.objects.get(codename="add_grab"))
    assert request("POST", "/api/requeue", body=body, user=user).status == 200
