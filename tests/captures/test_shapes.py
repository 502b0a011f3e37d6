from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from captures import serializers
from captures.frozen import freeze
from captures.models import Grab
from oven.events import progress
from oven.jobs import lifecycle, queries, registry
from oven.jobs.states import Lane, State
from tests.support import finished

RECORD = {
    "id",
    "piece",
    "format",
    "status",
    "startTime",
    "captureKey",
    "gitVersion",
    "dimensions",
    "source",
    "keepId",
}
QUEUED = {"position", "piece", "format", "addedAt", "estimatedWait", "id", "lane"}
PROGRESS = set(serializers.IDLE_PROGRESS)


def running(grab: Any) -> Any:
    return lifecycle.claim("grab", grab.pk, "a:1:1")


@pytest.mark.parametrize(
    ("state", "stage", "code", "status"),
    [
        (State.QUEUED, "", "", "queued"),
        (State.RETRYING, "", "timeout", "queued"),
        (State.RUNNING, "loading", "", "capturing"),
        (State.RUNNING, "capturing", "", "capturing"),
        (State.RUNNING, "encoding", "", "encoding"),
        (State.RUNNING, "uploading", "", "encoding"),
        (State.CANCELLING, "capturing", "", "capturing"),
        (State.COMPLETE, "", "", "complete"),
        (State.FAILED, "", "crashed", "failed"),
        (State.FAILED, "", "timeout", "timeout"),
        (State.CANCELLED, "", "", "cancelled"),
    ],
)
def test_states_are_told_in_the_words_of_the_contract(state: State, stage: str, code: str, status: str) -> None:
    assert serializers.contract_status(Grab(state=state, error_code=code), stage) == status


def test_a_waiting_record(grab: Any) -> None:
    record = serializers.grab_record(grab())
    assert set(record) == RECORD
    assert (record["status"], record["keepId"], record["dimensions"]) == ("queued", None, {"width": 64, "height": 64})
    json.dumps(record)


def test_a_finished_record(grab: Any, tmp_path: Path) -> None:
    record = serializers.grab_record(finished(grab(), tmp_path))
    assert set(record) == RECORD | {"completedAt", "duration", "size", "cdnUrl"}
    assert record["duration"] == pytest.approx(record["completedAt"] - record["startTime"], abs=1)
    assert record["cdnUrl"].startswith("/files/art/oven/grabs/orbit-")


def test_a_failed_record(grab: Any) -> None:
    record = serializers.grab_record(lifecycle.fail(running(grab()), "crashed", "It crashed.", retry=False))
    assert set(record) == RECORD | {"completedAt", "duration", "error"}
    assert (record["status"], record["error"]) == ("failed", "It crashed.")


def test_the_queue_is_in_the_order_of_service(grab: Any) -> None:
    for lane, piece in ((Lane.BATCH, "one"), (Lane.NOW, "two"), (Lane.KEEP, "three"), (Lane.NOW, "four")):
        grab(piece=piece, lane=lane)
    records = serializers.queue_records(queries.waiting(registry.get("grab")), 1)
    assert [(r["position"], r["piece"]) for r in records] == [(1, "three"), (2, "two"), (3, "four"), (4, "one")]
    assert all(set(record) == QUEUED for record in records)
    waits = [record["estimatedWait"] for record in records]
    assert waits == sorted(waits)


def test_grab_status_has_the_keys_of_the_contract(grab: Any, tmp_path: Path) -> None:
    active = running(grab(piece="orbit"))
    progress.send(active, "capturing", 40, "Frame 2 of 6", frames=(2, 6), preview=b"jpeg")
    grab(piece="waves")
    finished(grab(piece="prism"), tmp_path)
    status = json.loads(json.dumps(serializers.grab_status()))
    assert set(status) == {"active", "recent", "queue", "progress", "grabProgress", "concurrency"}
    assert [record["piece"] for record in status["active"]] == ["orbit", "waves"]
    assert [record["piece"] for record in status["recent"]] == ["prism"]
    assert [record["piece"] for record in status["queue"]] == ["waves"]
    assert status["concurrency"] == {"active": 1, "max": 1, "queueDepth": 1}
    live = status["grabProgress"][active.public_id]
    assert status["progress"] == live
    assert set(live) == PROGRESS | {"grabId"}
    assert (live["stage"], live["percent"], live["framesCaptured"], live["framesTotal"]) == ("capturing", 40, 2, 6)
    assert (live["previewFrame"], live["previewWidth"]) == ("anBlZw==", serializers.PREVIEW_SIDE)


def test_an_idle_service_shows_idle_progress(db: None, valkey: Any) -> None:
    status = serializers.grab_status()
    assert status["progress"] == serializers.IDLE_PROGRESS
    assert status["grabProgress"] == {}


def test_recent_grabs_have_an_end(grab: Any) -> None:
    for number in range(serializers.RECENT + 2):
        lifecycle.cancel(grab(piece=f"p{number}"))
    recent = serializers.grab_status()["recent"]
    assert len(recent) == serializers.RECENT
    assert recent[0]["piece"] == f"p{serializers.RECENT + 1}"


def test_a_frozen_record(db: None, valkey: Any) -> None:
    entry = freeze("still", "stands still")
    record = serializers.frozen_record(entry)
    assert set(record) == {"piece", "attempts", "firstDetected", "lastAttempt", "error"}
    assert (record["piece"], record["attempts"], record["error"]) == (
        "still",
        1,
        "frozen by staff",
    )  # the reason is theirs
    entry.preview = "oven/grabs/still.webp"
    assert serializers.frozen_record(entry)["previewUrl"] == "/files/art/oven/grabs/still.webp"
