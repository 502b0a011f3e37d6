"""The live page's endpoints: who may what, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from captures.models import FrozenPiece, Grab
from oven.jobs import filters, lifecycle
from oven.jobs.models import BulkAction
from oven.jobs.states import Lane, State

pytestmark = pytest.mark.django_db
WHO = ("anonymous", "outsider", "viewer", "operator", "administrator")
READS = (
    "/",
    "/live/state",
    "/live/done",
    "/live/frozen",
    "/live/log",
    "/live/vitals",
    "/live/charts",
    "/live/alerts",
)
WISH = {"piece": "orbit", "width": "64", "height": "64"}


@pytest.fixture
def client_of(people: Any, valkey: Any) -> Any:
    """`client_of("viewer")`: a signed-in browser."""

    def client(who: str) -> Client:
        found = Client()
        if who != "anonymous":
            found.force_login(getattr(people, who))
        return found

    return client


@pytest.fixture
def writes(grab: Any) -> dict[str, dict[str, str]]:
    """Every write of the live page, each of which would do something."""
    waiting = grab(piece="bloom")
    Grab.objects.filter(pk=grab(piece="done").pk).update(state=State.FAILED, ended_at=timezone.now())
    FrozenPiece.objects.create(piece="still", reason="staff")
    action = BulkAction.objects.create(
        public_id="bulk-1", action="cancel", targets={"grab": [waiting.pk]}, spec={"text": "Cancel 1 grab"}
    )
    job = f"/live/job/{waiting.public_id}"
    return {
        f"/live/bulk/{action.public_id}/undo": {},
        "/live/start/grab": WISH,
        "/live/start/bundle": {"piece": "orbit"},
        "/live/start/core": {},
        "/live/start/bake": {"code": "abc", "zipUrl": "http://127.0.0.1:3003/abc.zip"},
        f"{job}/front": {},
        f"{job}/lane": {"lane": "batch"},
        f"{job}/cancel": {},
        f"{job}/again": {},
        "/live/freeze": {"piece": "solid", "reason": "it stands still"},
        "/live/unfreeze": {"piece": "still"},
        "/live/bulk": {"action": "again", "expect": "99"},
    }


# --- who ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    ("who", "status"), [("anonymous", 302), ("outsider", 403), ("viewer", 200), ("operator", 200)]
)
def test_who_may_look(path: str, who: str, status: int, client_of: Any) -> None:
    answer = client_of(who).get(path)
    assert answer.status_code == status
    if status == 302:
        assert answer["Location"].startswith("/admin/login/?next=/")


@pytest.mark.parametrize(
    ("who", "refused"),
    [("anonymous", 302), ("outsider", 403), ("viewer", 403), ("operator", None), ("administrator", None)],
)
def test_who_may_act(who: str, refused: int | None, writes: Any, client_of: Any) -> None:
    client = client_of(who)
    before = state_of_everything()
    answers = {path: client.post(path, fields).status_code for path, fields in writes.items()}
    if refused:
        assert set(answers.values()) == {refused}, answers
        assert state_of_everything() == before
    else:
        assert set(answers.values()) == {200}, answers
        assert LogEntry.objects.count() >= len(answers)


def state_of_everything() -> list[Any]:
    found: list[Any] = [list(Grab.objects.order_by("pk").values_list("pk", "state", "lane", "rank"))]
    found += [list(BulkAction.objects.values_list("pk", "state")), list(FrozenPiece.objects.values_list("piece"))]
    return [*found, LogEntry.objects.count()]


def test_a_write_without_a_csrf_token_is_refused(people: Any, writes: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.operator)
    assert {client.post(path, fields).status_code for path, fields in writes.items()} == {403}


@pytest.mark.parametrize("path", READS)
def test_a_public_page_is_for_everybody_to_read(path: str, client_of: Any, settings: Any) -> None:
    settings.OVEN_PUBLIC_LIVE = True
    assert client_of("anonymous").get(path).status_code == 200


def test_a_public_page_gives_nobody_a_right(writes: Any, client_of: Any, settings: Any) -> None:
    settings.OVEN_PUBLIC_LIVE = True
    client = client_of("anonymous")
    boot = client.get("/").context["boot"]
    assert boot["public"] is True
    assert boot["may"] == {"start": [], "again": [], "act": [], "freeze": False, "pin": False, "admin": False}
    assert {client.post(path, fields).status_code for path, fields in writes.items()} == {302}


@pytest.mark.parametrize(("who", "kinds"), [("viewer", []), ("operator", ["grab", "bake", "core", "bundle"])])
def test_the_page_is_told_what_its_reader_may(who: str, kinds: list[str], client_of: Any) -> None:
    may = client_of(who).get("/").context["boot"]["may"]
    assert sorted(may["start"]) == sorted(kinds)
    assert set(may["start"]) <= set(may["act"])
    assert bool(may["act"]) == bool(kinds)


# --- what -----------------------------------------------------------------------------------------------------------


def test_every_action_leaves_a_line_that_says_who_and_what(client_of: Any, people: Any, grab: Any) -> None:
    waiting = grab()
    client_of("operator").post(f"/live/job/{waiting.public_id}/front")
    line = LogEntry.objects.get()
    assert (line.user, line.object_id, line.get_change_message()) == (
        people.operator,
        str(waiting.pk),
        "moved to the front of its lane",
    )


def test_a_job_moves_and_ends(client_of: Any, grab: Any) -> None:
    client, waiting = client_of("operator"), grab()
    url = f"/live/job/{waiting.public_id}"
    assert client.post(f"{url}/lane", {"lane": "batch"}).json()["job"]["lane"] == Lane.BATCH
    assert client.post(f"{url}/cancel").json()["job"]["state"] == State.CANCELLED
    assert client.post(f"{url}/front").status_code == 409


@pytest.mark.parametrize(
    ("path", "fields", "field"),
    [
        ("/live/start/grab", {"piece": "orbit", "width": "9"}, "width"),
        ("/live/start/bake", {"code": "a b", "zipUrl": "http://127.0.0.1:3003/a.zip"}, "code"),
        ("/live/start/bake", {"code": "abc"}, "zipUrl"),
        ("/live/start/bundle", {}, "piece"),
        ("/live/start/pie", {}, "kind"),
        ("/live/freeze", {"piece": "../x"}, "piece"),
        ("/live/bulk", {"action": "explode"}, "action"),
        ("/live/bulk", {"action": "again", "state": "no"}, "state"),
        ("/live/bulk", {"action": "again"}, "expect"),
        ("/live/bulk", {"action": "again", "expect": "²"}, "expect"),
        ("/live/bulk", {"action": "again", "expect": "9" * 5000}, "expect"),
    ],
)
def test_bad_input_is_told_by_its_field(path: str, fields: dict[str, str], field: str, client_of: Any) -> None:
    answer = client_of("operator").post(path, fields)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not LogEntry.objects.exists()


def test_unknown_jobs_and_actions(client_of: Any, grab: Any) -> None:
    client, job = client_of("operator"), grab().public_id
    assert client.post("/live/job/none/cancel").status_code == 404
    assert client.post(f"/live/job/{job}/explode").json()["valid"] == ["cancel", "again", "pin", "front", "lane"]
    assert client.post(f"/live/job/{job}/lane", {"lane": "fast"}).json()["valid"] == Lane.values
    assert client.post("/live/unfreeze", {"piece": "orbit"}).status_code == 404
    assert client.post("/live/bulk/none/undo").status_code == 404


def test_the_queues_ceiling_is_said(client_of: Any, settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING = 0
    answer = client_of("operator").post("/live/start/grab", WISH)
    assert (answer.status_code, answer.json()["error"]) == (503, "The queue is full (0 waiting).")


def test_a_bulk_action_is_counted_confirmed_and_undone(client_of: Any, grab: Any) -> None:
    client = client_of("operator")
    for piece in ("one", "two"):
        grab(piece=piece)
    Grab.objects.update(state=State.FAILED, error_code="timeout", ended_at=timezone.now())
    counted = client.get("/live/bulk", {"action": "again", "code": "timeout"}).json()
    assert (counted["count"], counted["text"]) == (2, "Requeue 2 grabs")
    fields = {"action": "again", "code": "timeout", "expect": "1"}
    more = client.post("/live/bulk", fields)
    assert (more.status_code, more.json()["count"]) == (409, 2)
    started = client.post("/live/bulk", {**fields, "expect": "2"}).json()["bulk"]
    assert (started["count"], started["by"], started["state"]) == (2, "operator", "queued")
    assert client.get("/live/state").json()["bulks"] == [started]
    assert Grab.objects.count() == 4
    undone = client.post(f"/live/bulk/{started['id']}/undo").json()["bulk"]
    assert undone["state"] == client.get(f"/live/bulk/{started['id']}").json()["bulk"]["state"] == "cancelled"
    assert Grab.objects.count() == 2
    assert client.post(f"/live/bulk/{started['id']}/undo").status_code == 409


# --- reading --------------------------------------------------------------------------------------------------------


def test_history_comes_page_by_page_and_each_job_once(client_of: Any, grab: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(filters, "PAGE", 4)
    for number in range(10):
        grab(piece=f"p{number}")
    Grab.objects.update(state=State.COMPLETE, ended_at=timezone.now())  # all in the same moment
    client, seen, cursor = client_of("viewer"), [], ""
    for _ in range(3):
        page = client.get("/live/done", {"before": cursor}).json()
        seen += [job["name"].split()[0] for job in page["jobs"]]
        cursor = page["next"]
    assert sorted(seen) == [f"p{number}" for number in range(10)]
    assert (cursor, page["found"], page["capped"]) == (None, 10, False)


def test_history_is_filtered(client_of: Any, grab: Any) -> None:
    lifecycle.cancel(grab(piece="orbit", source="api"))
    lifecycle.cancel(grab(piece="$bloom"))
    client = client_of("viewer")

    def pieces(**wanted: str) -> list[str]:
        return [job["facts"]["piece"] for job in client.get("/live/done", wanted).json()["jobs"]]

    assert pieces() == ["$bloom", "orbit"]
    assert pieces(piece="ORB") == pieces(source="api") == ["orbit"]
    assert pieces(state="failed") == pieces(kind="bake") == pieces(code="timeout") == []
    for wrong in ({"kind": "pie"}, {"state": "done"}, {"before": "x"}, {"before": "1.x"}):
        assert client.get("/live/done", wrong).json()["field"] == next(iter(wrong))


def test_the_frozen_list_and_the_log_are_read(client_of: Any) -> None:
    client = client_of("operator")
    client.post("/live/freeze", {"piece": "solid", "reason": "it stands still"})
    entry = client.get("/live/frozen", {"piece": "SOL"}).json()["frozen"][0]
    assert (entry["piece"], entry["reason"], entry["error"]) == ("solid", "staff", "it stands still")
    assert client.get("/live/frozen", {"piece": "x"}).json() == {"frozen": [], "total": 0}
    log = client.get("/live/log")
    assert log["Content-Type"] == "text/plain; charset=utf-8"
    assert "attachment" in log["Content-Disposition"]
