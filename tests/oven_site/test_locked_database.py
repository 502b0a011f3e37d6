"""A database that is locked or full is 503 with Retry-After wherever a request meets it, and /ready says so."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as site
from django.db import OperationalError, connection
from django.test import AsyncClient
from sesame.utils import get_query_string

from oven.accounts import idempotency, sessions
from oven.accounts.models import KeyedAnswer
from oven.ops.health import probes
from oven.ttl_cache import Kept

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def locked() -> Iterator[None]:
    """Somebody else writes, and does not come to an end; we wait 50 ms for that and not 20 s."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    with closing(sqlite3.connect(site.DATABASES["default"]["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def _send(client: AsyncClient, method: str, path: str, **more: Any) -> Any:
    return await client.generic(method, path, **more)


def send(client: AsyncClient, method: str, path: str, **more: Any) -> Any:
    return async_to_sync(_send)(client, method, path, **more)


@pytest.fixture
def client(valkey: Any, settings: Any) -> AsyncClient:
    settings.OVEN_WAIT_S = 0.01
    return AsyncClient(raise_request_exception=False)


@pytest.fixture
def signed_in(client: AsyncClient, people: Any) -> AsyncClient:
    async def sign_in() -> None:
        await client.aforce_login(people.staff)

    async_to_sync(sign_in)()
    return client


def keyed(client: AsyncClient, people: Any) -> Any:
    headers = {idempotency.HEADER: "one", **people.bearer(people.grabbing_token)}
    body = {"data": '{"code": "none"}', "content_type": "application/json"}
    return send(client, "POST", "/bake-status", headers=headers, **body)


def with_token(client: AsyncClient, people: Any) -> Any:
    return send(client, "POST", "/grab", data="{}", headers=people.bearer(people.grabbing_token))


def without(client: AsyncClient, people: Any) -> Any:
    return send(client, "GET", "/grab/png/64/64/orbit")


def by_link(client: AsyncClient, people: Any) -> Any:
    return send(client, "GET", f"/sign-in{get_query_string(people.staff)}")


def by_password(client: AsyncClient, people: Any) -> Any:
    fields = "username=alice&password=wrong"
    return send(client, "POST", "/admin/login/", data=fields, content_type="application/x-www-form-urlencoded")


@pytest.mark.parametrize("ask", [keyed, with_token, without, by_link, by_password])
def test_a_write_is_503(
    client: AsyncClient, people: Any, ask: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with locked():
        answer = ask(client, people)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {"error": "The database does not answer at the moment."}
    assert [record for record in caplog.records if record.exc_info and record.levelno >= logging.ERROR] == []
    assert ask(client, people).status_code != 503


@pytest.mark.parametrize("path", ["/", "/admin/", "/admin/captures/grab/", "/live/state", "/status"])
def test_pages_are_503_when_the_use_of_the_session_must_be_noted(
    signed_in: AsyncClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "NOTED_EVERY_S", -1.0)
    with locked():
        answer = send(signed_in, "GET", path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert send(signed_in, "GET", path).status_code == 200


def test_forms_of_the_admin_are_503(signed_in: AsyncClient) -> None:
    assert send(signed_in, "GET", "/admin/").status_code == 200
    form = {"data": "piece=roz&error=x", "content_type": "application/x-www-form-urlencoded"}
    with locked():
        assert send(signed_in, "POST", "/admin/captures/frozenpiece/add/", **form).status_code == 503
    assert send(signed_in, "POST", "/admin/captures/frozenpiece/add/", **form).status_code == 302


def test_what_was_done_is_answered_although_its_answer_cannot_be_kept(
    client: AsyncClient, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> bool:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(idempotency, "_keep", full)
    assert keyed(client, people).status_code == 200
    assert KeyedAnswer.objects.get().status is None
    assert keyed(client, people).status_code == 409  # it is not done twice


def test_an_answer_is_given_although_its_key_cannot_be_released(client: AsyncClient, people: Any) -> None:
    claim = idempotency._claim

    def then_locked(*args: Any) -> Any:
        found = claim(*args)
        lock.__enter__()
        return found

    lock = locked()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(idempotency, "_claim", then_locked)
        headers = {idempotency.HEADER: "one", **people.bearer(people.grabbing_token)}
        answer = send(client, "POST", "/nowhere", data="{}", headers=headers)
    lock.__exit__(None, None, None)
    assert answer.status_code == 404


# --- readiness ------------------------------------------------------------------------------------------------------


@pytest.fixture
def look(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], probes.Check]:
    monkeypatch.setattr(probes, "written", Kept(probes._write, probes.WRITE_EVERY_S))
    return lambda: probes.checks()["database"]


def test_a_database_that_takes_no_writes_is_not_ready(
    look: Callable[[], probes.Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "WRITE_LIMIT_S", 0.2)
    with locked():
        started = time.monotonic()
        assert look() == probes.Check(False, "It takes no writes: it is locked or full.")
        assert 0.2 <= time.monotonic() - started < 5
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone() == (50,)  # as before
    assert look() == probes.Check(True, "It answers.")
    with locked():
        assert look().ok  # asked a moment ago
