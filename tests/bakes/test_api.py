from __future__ import annotations

from typing import Any

import pytest

from bakes import serializers, services
from bakes.models import Bake, IncomingTape, Site
from oven.accounts.models import ApiToken
from oven.events import progress, publisher
from oven.jobs import lifecycle
from tests.support import request

pytestmark = pytest.mark.django_db

ACTIVE = {"id", "code", "slug", "mongoId", "zipUrl", "callbackUrl", "startTime", "status", "lastUpdate", "details"}
ACTIVE |= {"percent"}
RECENT = ACTIVE | {"success", "completedAt", "duration", "delivered"}
HIDDEN = ("mongoId", "zipUrl", "callbackUrl")


@pytest.fixture
def token(db: None) -> dict[str, str]:
    row = ApiToken(name="bake", scopes=["bake"])
    secret = row.renew()
    row.save()
    return {"Authorization": f"Bearer {secret}"}


# --- POST /bake -----------------------------------------------------------------------------------------------------


def test_a_tape_is_accepted_before_any_work(site: Any, valkey: Any) -> None:
    answer = request("POST", "/bake", body=site.wish())
    assert answer.status == 200
    assert {key: answer.json[key] for key in ("status", "slug", "code")} == {
        "status": "accepted",
        "slug": "2026.11.24.6.30",
        "code": "abc123",
    }
    assert answer.json["message"]
    assert Bake.objects.get().state == "queued"


def test_a_missing_field_is_told_before_the_secret(site: Any) -> None:
    assert request("POST", "/bake", body={}).status == 400
    answer = request("POST", "/bake", body={"code": "x", "callbackSecret": "wrong"})
    assert (answer.status, answer.json["field"]) == (400, "mongoId")


@pytest.mark.parametrize("secret", ["shared", ""])
def test_a_wrong_secret_is_401_and_starts_nothing(site: Any, settings: Any, secret: str) -> None:
    settings.OVEN_CALLBACK_SECRET = secret
    answer = request("POST", "/bake", body=site.wish(callbackSecret="wrong"))
    assert answer.status == 401
    assert "wrong" not in answer.json["error"]
    assert not Bake.objects.exists()


def test_without_a_secret_of_ones_own_nobody_may_bake(site: Any, settings: Any) -> None:
    settings.OVEN_CALLBACK_SECRET = ""
    for wish in (site.wish(callbackSecret=""), site.wish()):
        assert request("POST", "/bake", body=wish).status == 401
    del wish["callbackSecret"]
    assert request("POST", "/bake", body=wish).status == 401


def test_a_wrong_field_is_named_with_what_would_be_right(site: Any) -> None:
    answer = request("POST", "/bake", body=site.wish(zipUrl="https://elsewhere.example/x.zip"))
    assert (answer.status, answer.json["field"]) == (400, "zipUrl")
    assert site.origin in answer.json["valid"]


# --- what the site says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/bake-status", "/bake-complete"])
def test_a_code_is_needed_and_an_unknown_one_is_fine(path: str) -> None:
    assert request("POST", path, body={}).status == 400
    answer = request("POST", path, body={"code": "unknown"})
    assert (answer.status, answer.json) == (200, {"status": "ok"})


def test_the_course_of_a_bake_as_the_site_reports_it(ended: Any) -> None:
    row = ended()
    body = {"code": row.code, "status": "uploading-atproto", "details": "Publishing"}
    assert request("POST", "/bake-status", body=body).json == {"status": "ok"}
    active = request("GET", "/status").json["active"]
    assert [(bake["code"], bake["status"], bake["details"]) for bake in active] == [
        (row.code, "uploading-atproto", "Publishing")
    ]
    body = {"code": row.code, "slug": row.slug, "success": True, "mp4Url": "https://evil.example/x.mp4"}
    assert request("POST", "/bake-complete", body=body).json == {"status": "ok"}
    found = request("GET", "/status").json
    assert found["active"] == []
    assert (found["recent"][0]["code"], found["recent"][0]["success"]) == (row.code, True)
    assert "evil" not in str(found)


def test_the_site_may_say_that_it_failed(ended: Any) -> None:
    row = ended()
    request("POST", "/bake-complete", body={"code": row.code, "success": False, "error": "No space"})
    recent = request("GET", "/status").json["recent"][0]
    assert (recent["success"], recent["error"]) == (False, "No space")


def test_what_the_site_says_is_cut_in_the_activity_log(ended: Any) -> None:
    row = ended()
    request("POST", "/bake-complete", body={"code": row.code, "success": False, "error": "x" * 90_000})
    publisher.flush()
    (line,) = [entry["msg"] for entry in progress.recent_log() if "the site is done" in entry["msg"]]
    assert line.startswith(f"{row.code}: the site is done: xxx")
    assert len(line) < 1000


def test_announcing_needs_a_token(token: dict[str, str], people: Any) -> None:
    body = {"code": "next", "slug": "2026.11.24"}
    assert request("POST", "/bake-incoming", body=body).status == 401
    assert request("POST", "/bake-incoming", body=body, headers=people.bearer(people.grabbing_token)).status == 403
    assert request("POST", "/bake-incoming", body=body, user=people.staff).status == 200
    assert request("POST", "/bake-incoming", body={"code": "x"}, headers=token).json["field"] == "slug"
    assert (
        request("POST", "/bake-incoming", body={"code": "../x", "slug": "y"}, headers=token).json["field"] == "code"
    )
    assert request("POST", "/bake-incoming", body=body, headers=token).json == {"status": "ok"}
    assert IncomingTape.objects.count() == 1
    found = request("GET", "/status").json["incoming"]
    assert [set(tape) for tape in found] == [{"code", "slug", "mongoId", "detectedAt", "status", "details"}]


# --- /status --------------------------------------------------------------------------------------------------------


def test_records_have_the_keys_of_the_contract(bake: Any, ended: Any) -> None:
    bake("waiting")
    row = ended("done", error="It broke.")
    lifecycle.cancel(row.deliveries.get())
    found = request("GET", "/status").json
    assert [(set(record), record["status"]) for record in found["active"]] == [(ACTIVE, "queued")]
    assert [(set(record), record["error"]) for record in found["recent"]] == [(RECENT | {"error"}, "It broke.")]


def test_addresses_and_foreign_ids_are_for_those_who_may_see_them(
    bake: Any, token: dict[str, str], people: Any
) -> None:
    bake()
    services.announce("next", "x", mongo_id="65a")
    hidden = request("GET", "/status").json
    assert [hidden["active"][0][key] for key in HIDDEN] == [None, None, None]
    assert hidden["incoming"][0]["mongoId"] is None
    assert request("GET", "/status", headers=people.bearer(people.grabbing_token)).json["active"][0]["zipUrl"] is None
    for shown in (request("GET", "/status", headers=token).json, request("GET", "/status", user=people.staff).json):
        assert all(shown["active"][0][key] for key in HIDDEN)
        assert shown["incoming"][0]["mongoId"] == "65a"


def test_nothing_private_is_in_a_jobs_own_view(bake: Any) -> None:
    row = bake()
    text = request("GET", f"/status/{row.public_id}").body.decode()
    assert row.zip_url not in text
    assert row.mongo_id not in text


def test_a_message_to_the_site_has_no_public_view(ended: Any) -> None:
    assert request("GET", f"/status/{ended().deliveries.get().public_id}").status == 404


def test_a_running_bake_shows_its_stage(bake: Any) -> None:
    row: Any = lifecycle.claim("bake", bake().pk, "test:1:1")
    assert serializers.contract_status(row) == "downloading"
    assert serializers.contract_status(row, "processing") == "processing"


def test_an_undelivered_bake_is_recent_and_says_so(ended: Any) -> None:
    row = ended()
    delivery: Any = lifecycle.claim("delivery", row.deliveries.get().pk, "test:1:1")
    lifecycle.fail(delivery, "gone", "It wants no more.", retry=False)
    assert Bake.objects.get().site == Site.UNDELIVERED
    recent = request("GET", "/status").json["recent"][0]
    assert (recent["success"], recent["delivered"]) == (True, False)
