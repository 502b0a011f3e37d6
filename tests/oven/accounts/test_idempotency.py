from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from captures.models import Grab
from oven.accounts import idempotency
from oven.accounts.models import ApiToken, KeyedAnswer
from oven.storage.models import Artifact
from oven_site.api import api
from tests.support import Answer, finished, request

KEY = {"Idempotency-Key": "9f1c"}
FIELDS = {"piece": "orbit", "format": "png", "width": 64, "height": 64}


@pytest.fixture
def post(people: Any, valkey: Any) -> Any:
    def send(path: str, body: Any = None, **headers: str) -> Answer:
        given = {**people.bearer(people.grabbing_token), **KEY, **headers}
        return request("POST", path, body=body, headers=given)

    return send


@pytest.fixture
def done(grab: Any, tmp_path: Any, settings: Any) -> Grab:
    """A finished capture of FIELDS."""
    return finished(grab(format="png"), tmp_path)


def test_the_same_again_is_answered_again_and_not_done_again(settings: Any, post: Any, valkey: Any) -> None:
    settings.OVEN_CALLBACK_SECRET = "shared"
    body = {
        "mongoId": "1",
        "slug": "s",
        "code": "abc",
        "zipUrl": "https://x.sfo3.digitaloceanspaces.com/a.zip",
        "callbackUrl": f"{settings.OVEN_PIECE_ORIGIN}/api/oven-complete",
        "callbackSecret": "shared",
    }
    first, second = (request("POST", "/bake", body=body, headers=KEY) for _ in range(2))
    assert (first.status, second.status) == (200, 200)
    assert second.json == first.json
    assert (first.headers.get(idempotency.REPLAYED), second.headers[idempotency.REPLAYED]) == (None, "true")
    from bakes.models import Bake

    assert Bake.objects.count() == 1
    assert request("POST", "/bake", body={**body, "callbackSecret": "wrong"}, headers=KEY).status == 401


def test_the_keys_of_a_body_may_come_in_any_order(done: Grab, post: Any) -> None:
    assert post("/grab", FIELDS).status == 302
    assert post("/grab", dict(reversed(FIELDS.items()))).headers[idempotency.REPLAYED] == "true"


def test_another_body_is_409(done: Grab, post: Any) -> None:
    assert post("/grab", FIELDS).status == 302
    answer = post("/grab", {**FIELDS, "piece": "other"})
    assert (answer.status, answer.json["field"]) == (409, "Idempotency-Key")
    assert "Retry-After" not in answer.headers
    assert not Grab.objects.filter(piece="other").exists()


def test_a_picture_is_given_again_from_where_it_lies(done: Grab, post: Any) -> None:
    first = post("/grab", FIELDS, Origin="https://site.example")
    second = post("/grab", FIELDS, Origin="https://site.example")
    assert (first.status, second.status) == (200, 200)
    assert second.body == first.body != b""
    assert second.headers["Content-Type"] == "image/png"
    assert second.headers[idempotency.REPLAYED] == "true"
    assert bytes(KeyedAnswer.objects.get().body) == b""


def test_a_picture_that_was_cleared_away_is_asked_for_anew(done: Grab, post: Any, settings: Any) -> None:
    settings.OVEN_WAIT_S = 0.01
    post("/grab", FIELDS, Origin="https://site.example")
    Grab.objects.update(artifact=None)
    Artifact.objects.all().delete()
    assert post("/grab", FIELDS, Origin="https://site.example").status == 504


@pytest.mark.parametrize(("body", "status"), [({"piece": ""}, 400), (FIELDS, 504)])
def test_what_failed_may_be_tried_again(
    post: Any, settings: Any, body: Any, status: int, grab: Any, tmp_path: Any
) -> None:
    settings.OVEN_WAIT_S = 0.01
    assert post("/grab", body).status == status
    assert KeyedAnswer.objects.count() == 0
    Grab.objects.all().delete()
    finished(grab(format="png"), tmp_path)
    assert post("/grab", FIELDS).status == 302


def test_while_the_first_is_being_answered_the_second_is_told_to_come_again(done: Grab, post: Any) -> None:
    post("/grab", FIELDS)
    KeyedAnswer.objects.update(status=None)
    answer = post("/grab", FIELDS)
    assert (answer.status, answer.json["field"]) == (409, "Idempotency-Key")
    assert int(answer.headers["Retry-After"]) >= 1


def test_one_who_died_while_answering_blocks_nobody_for_long(done: Grab, post: Any, settings: Any) -> None:
    post("/grab", FIELDS)
    lease = max(settings.OVEN_WAIT_S, settings.OVEN_BUNDLE_WAIT_S) + idempotency.GRACE_S
    KeyedAnswer.objects.update(status=None, created_at=timezone.now() - timedelta(seconds=lease + 1))
    answer = post("/grab", FIELDS)
    assert (answer.status, answer.headers.get(idempotency.REPLAYED)) == (302, None)


def test_a_key_is_forgotten_after_a_day(done: Grab, post: Any) -> None:
    post("/grab", FIELDS)
    KeyedAnswer.objects.update(created_at=timezone.now() - idempotency.KEPT - timedelta(seconds=1))
    KeyedAnswer.objects.create(digest="old", fingerprint="old", created_at=timezone.now() - timedelta(days=2))
    assert post("/grab", FIELDS).headers.get(idempotency.REPLAYED) is None
    assert not KeyedAnswer.objects.filter(digest="old").exists()


def test_keys_belong_to_their_caller_and_path(done: Grab, post: Any, people: Any) -> None:
    other = ApiToken(name="other", scopes=["grab", "bundle"])
    secret = other.renew()
    other.save()
    post("/grab", FIELDS)
    for answer in (
        request("POST", "/grab", body=FIELDS, headers={**people.bearer(secret), **KEY}),
        request("POST", "/grab", body=FIELDS, headers=KEY, user=people.operator),
        post("/grab-cleanup", FIELDS),
    ):
        assert idempotency.REPLAYED not in answer.headers
    assert request("POST", "/grab", body=FIELDS, headers=KEY).status == 401


def test_a_token_that_has_expired_hears_nothing(done: Grab, post: Any) -> None:
    post("/grab", FIELDS)
    ApiToken.objects.update(expires_at=timezone.now())
    assert post("/grab", FIELDS).status == 401


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256])
def test_a_key_that_is_none_is_400(post: Any, key: str) -> None:
    answer = post("/grab", FIELDS, **{"Idempotency-Key": key})
    assert (answer.status, answer.json["field"]) == (400, "Idempotency-Key")


def test_a_get_has_no_use_for_a_key(db: None, valkey: Any) -> None:
    assert request("GET", "/health", headers=KEY).status == 200
    assert KeyedAnswer.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_of_twenty_at_once_one_is_done(post: Any) -> None:
    gate, found = threading.Barrier(20), []

    def claim() -> None:
        from django.db import connection

        gate.wait()
        found.append(idempotency._claim("same", "body"))
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [isinstance(row, KeyedAnswer) for row in found].count(True) == 1
    assert {row.status_code for row in found if not isinstance(row, KeyedAnswer)} == {409}


def test_the_docs_tell_of_it_on_every_post() -> None:
    for path, item in api.get_openapi_schema()["paths"].items():
        for method, operation in item.items():
            names = {parameter["name"] for parameter in operation.get("parameters", [])}
            assert ("Idempotency-Key" in names) is (method == "post"), path
            assert "429" in operation["responses"], path


@pytest.mark.parametrize("cookie", ["", "sessionid=made-up"])
def test_nothing_is_kept_for_anonymous_callers(valkey: Any, db: None, cookie: str) -> None:
    headers = {**KEY, **({"Cookie": cookie} if cookie else {})}
    for _ in range(2):
        answer = request("POST", "/bake-status", body={"code": "none"}, headers=headers)
        assert (answer.status, answer.headers.get(idempotency.REPLAYED)) == (200, None)
    assert not KeyedAnswer.objects.exists()
