from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.utils import timezone

from oven.accounts.callers import ANONYMOUS, Caller, Refused, open_writes
from oven.accounts.models import ApiToken, Scope
from tests.support import Answer, request

STEER = ("POST", "/grab-cleanup")
GRAB = ("POST", "/grab")  # without a piece: who may grab is told so


def steer(**options: Any) -> Answer:
    return request(*STEER, **options)


# --- the rule -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", list(Scope))
def test_staff_may_what_their_permissions_say(scope: Scope) -> None:
    Caller(user="alice", permissions=frozenset({scope.permission})).require(scope)
    with pytest.raises(Refused) as refused:
        Caller(user="bob", permissions=frozenset({"captures.view_grab"})).require(scope)
    assert refused.value.status == 403


def test_a_token_may_what_its_scopes_say() -> None:
    caller = Caller(token="ci", scopes=frozenset({"grab"}))
    caller.require(Scope.GRAB)
    with pytest.raises(Refused) as refused:
        caller.require(Scope.STEER)
    assert refused.value.status == 403


def test_nobody_may_nothing() -> None:
    with pytest.raises(Refused) as refused:
        ANONYMOUS.require(Scope.GRAB)
    assert refused.value.status == 401


# --- sessions -------------------------------------------------------------------------------------------------------


def test_a_staff_session_may_steer(people: Any, valkey: Any) -> None:
    assert steer(user=people.staff).status == 200


def test_an_operators_session_may_steer_and_a_viewers_may_not(people: Any, valkey: Any) -> None:
    assert steer(user=people.operator).status == 200
    answer = steer(user=people.viewer)
    assert answer.status == 403
    assert "captures.change_grab" in answer.json["error"]


def test_an_outsiders_session_is_nobody(people: Any, valkey: Any) -> None:
    assert steer(user=people.outsider).status == 401


def test_a_session_write_without_a_csrf_token_is_refused(people: Any, valkey: Any) -> None:
    answer = steer(user=people.staff, csrf=True)
    assert answer.status == 403
    assert "CSRF" in answer.json["error"]


def test_a_session_write_with_its_csrf_token_is_served(people: Any, valkey: Any) -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    async_to_sync(client.aforce_login)(people.staff)
    client.cookies["csrftoken"] = "a" * 32
    post = async_to_sync(client.post)
    assert post(STEER[1], headers={"X-CSRFToken": "a" * 32}).status_code == 200
    assert post(STEER[1], headers={"X-CSRFToken": "b" * 32}).status_code == 403


def test_a_session_of_another_site_is_refused(people: Any, valkey: Any) -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    async_to_sync(client.aforce_login)(people.staff)
    client.cookies["csrftoken"] = "a" * 32
    headers = {"X-CSRFToken": "a" * 32, "Origin": "https://evil.example"}
    assert async_to_sync(client.post)(STEER[1], headers=headers).status_code == 403


def test_reading_needs_no_csrf_token(people: Any, valkey: Any) -> None:
    assert request("GET", "/grab-status", user=people.staff, csrf=True).status == 200


# --- tokens ---------------------------------------------------------------------------------------------------------


def test_a_token_with_the_scope_is_served(people: Any, valkey: Any) -> None:
    assert steer(headers=people.bearer(people.steering_token), csrf=True).status == 200


def test_the_word_bearer_is_read_in_any_case(people: Any, valkey: Any) -> None:
    assert steer(headers={"Authorization": f"bEARER  {people.steering_token}"}).status == 200


def test_a_token_without_the_scope_is_refused(people: Any, valkey: Any) -> None:
    answer = steer(headers=people.bearer(people.grabbing_token))
    assert answer.status == 403
    assert "'steer'" in answer.json["error"]
    assert request(*GRAB, headers=people.bearer(people.steering_token)).status == 403


def test_a_grabbing_token_may_grab(people: Any, valkey: Any) -> None:
    answer = request(*GRAB, headers=people.bearer(people.grabbing_token), body={})
    assert (answer.status, answer.json["field"]) == (400, "piece")


@pytest.mark.parametrize("days", [-1, -0.00001])
def test_an_expired_token_is_refused(people: Any, valkey: Any, days: float) -> None:
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=days))
    assert steer(headers=people.bearer(people.steering_token)).status == 401


def test_a_token_that_expires_later_is_served(people: Any, valkey: Any) -> None:
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert steer(headers=people.bearer(people.steering_token)).status == 200


@pytest.mark.parametrize("secret", ["", "oven_wrong", "x" * 5000])
def test_an_unknown_token_is_refused_even_with_a_session(people: Any, valkey: Any, secret: str) -> None:
    answer = steer(headers=people.bearer(secret), user=people.staff)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_no_credentials_are_asked_for_some(db: None, valkey: Any) -> None:
    answer = steer()
    assert answer.status == 401
    assert "steer" in answer.json["error"]


def test_the_use_of_a_token_is_noted_at_most_once_a_minute(
    people: Any, valkey: Any, django_assert_num_queries: Any
) -> None:
    steer(headers=people.bearer(people.steering_token))
    first = ApiToken.objects.get(name="steer").last_used_at
    assert first is not None
    steer(headers=people.bearer(people.steering_token))
    assert ApiToken.objects.get(name="steer").last_used_at == first


# --- open writes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("debug", "asked", "confirmed", "is_open"),
    [
        (False, False, False, False),
        (False, True, False, False),
        (False, False, True, False),
        (False, True, True, True),
        (True, False, False, False),
        (True, True, False, True),
    ],
)
def test_open_writes_must_be_confirmed_in_production(
    settings: Any, db: None, valkey: Any, debug: bool, asked: bool, confirmed: bool, is_open: bool
) -> None:
    settings.DEBUG, settings.OVEN_OPEN_WRITES, settings.OVEN_OPEN_WRITES_CONFIRMED = debug, asked, confirmed
    assert open_writes() is is_open
    assert steer().status == (200 if is_open else 401)
