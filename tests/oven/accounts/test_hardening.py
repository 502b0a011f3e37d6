"""Sessions, sign-ins, token rotation."""

from __future__ import annotations

import time
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import AsyncClient, Client
from django.utils import timezone

from oven.accounts import sessions
from oven.accounts.models import ApiToken, SignIn
from oven.accounts.rates import rate
from tests.support import request

pytestmark = pytest.mark.django_db
LOGIN = "/admin/login/"


def sign_in(client: Client, name: str = "alice", password: str = "alice", **headers: str) -> Any:
    return client.post(LOGIN, {"username": name, "password": password}, headers=headers)


def rows() -> list[tuple[str, str, str]]:
    return list(SignIn.objects.order_by("id").values_list("name", "outcome", "how"))


# --- sessions -------------------------------------------------------------------------------------------------------


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def test_signing_in_gives_a_session_a_new_name(people: Any) -> None:
    client = Client()
    client.session.save()
    planted = client.session.session_key
    client.cookies["sessionid"] = planted
    assert sign_in(client).status_code == 302
    assert client.cookies["sessionid"].value != planted
    thief = Client()
    thief.cookies["sessionid"] = planted
    assert not is_in(thief)


def test_a_session_ends_when_it_is_not_used(people: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, now = Client(), time.time()
    sign_in(client)
    for hours, served in [(23, True), (46, True), (71, False), (0, False)]:
        monkeypatch.setattr(sessions.time, "time", lambda hours=hours: now + hours * 3600)
        assert is_in(client) is served, hours


def test_a_session_ends_after_two_weeks_in_any_case(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, now = Client(), time.time()
    sign_in(client)
    for hours in range(0, 14 * 24, 12):
        monkeypatch.setattr(sessions.time, "time", lambda hours=hours: now + hours * 3600)
        assert is_in(client)
    monkeypatch.setattr(sessions.time, "time", lambda: now + 14 * 24 * 3600 + 1)
    assert not is_in(client)


def test_the_same_holds_for_the_api(people: Any, valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from asgiref.sync import async_to_sync

    client = AsyncClient()
    async_to_sync(client.aforce_login)(people.staff)
    post = async_to_sync(client.post)
    assert post("/grab-cleanup").status_code == 200
    later = time.time() + 25 * 3600
    monkeypatch.setattr(sessions.time, "time", lambda: later)
    assert post("/grab-cleanup").status_code == 401


def test_a_session_is_written_once_in_a_while_only(people: Any, django_assert_max_num_queries: Any) -> None:
    client = Client()
    sign_in(client)
    client.get("/live/vitals")
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get("/live/vitals")
    assert [entry["sql"] for entry in queries if entry["sql"].startswith(("UPDATE", "INSERT"))] == []


def test_cookies_are_safe(people: Any, settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    client = Client()
    sign_in(client)
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["secure"]) == (True, "Lax", True)


# --- sign-ins -------------------------------------------------------------------------------------------------------


def test_every_way_in_and_out_is_a_row(people: Any) -> None:
    client = Client(REMOTE_ADDR="192.0.2.7")
    sign_in(client, password="wrong")
    sign_in(client, **{"User-Agent": "Browser/1\x07" + "x" * 300})
    client.post("/admin/logout/")
    out = StringIO()
    call_command("signin", "--user", "alice", stdout=out)
    link = out.getvalue().strip().partition("localhost:3002")[2]
    client.get(link)
    Client().get(link)
    assert rows() == [
        ("alice", "failure", "password"),
        ("alice", "success", "password"),
        ("alice", "logout", ""),
        ("alice", "success", "link"),
        ("", "failure", "link"),
    ]
    first, second = SignIn.objects.order_by("id")[:2]
    assert first.client == "192.0.2.7"
    assert second.agent.startswith("Browser/1x")
    assert len(second.agent) == 200


def test_a_name_that_is_no_account_is_not_kept(people: Any) -> None:
    sign_in(Client(), name="my secret password", password="x")
    assert rows() == [("", "failure", "password")]


def test_too_many_passwords_of_one_client_are_429(people: Any, settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_SIGN_INS = rate("3/h")
    client = Client(REMOTE_ADDR="192.0.2.7")
    assert [sign_in(client, password=str(n)).status_code for n in range(3)] == [200, 200, 200]
    answer = sign_in(client)  # the right one
    assert answer.status_code == 429
    assert 1190 <= int(answer["Retry-After"]) <= 1200
    assert b"Too many attempts" in answer.content
    assert "_auth_user_id" not in client.session
    sign_in(client)
    assert [row[1] for row in rows()] == ["failure"] * 3 + ["throttled"]
    assert sign_in(Client(REMOTE_ADDR="192.0.2.8")).status_code == 302


def test_too_many_passwords_for_one_account_are_429_from_anywhere(people: Any, settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_SIGN_IN_NAMES = rate("3/h")
    found = [
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{n}"), name=["alice", "Alice "][n % 2], password="x").status_code
        for n in range(4)
    ]
    assert found == [200, 200, 200, 429]
    assert sign_in(Client(), name="charlie", password="x").status_code == 200


@pytest.mark.parametrize("spelling", ["ａlice", "ＡＬＩＣＥ", "ⓐlice", " alice\u3000", "ali\u217de"])
def test_every_spelling_of_a_name_counts_for_its_account(
    people: Any, settings: Any, valkey: Any, spelling: str
) -> None:
    settings.OVEN_THROTTLE_SIGN_IN_NAMES = rate("2/h")
    for n in range(2):
        sign_in(Client(REMOTE_ADDR=f"192.0.2.{n}"), name="alice", password="x")
    assert sign_in(Client(REMOTE_ADDR="192.0.2.9"), name=spelling).status_code == 429


def test_too_many_links_that_are_none_are_429(settings: Any, valkey: Any) -> None:
    settings.OVEN_THROTTLE_SIGN_INS = rate("2/h")
    found = [Client().get(f"/sign-in?sesame=guess{n}").status_code for n in range(4)]
    assert found == [403, 403, 429, 429]


def test_administrators_see_the_sign_ins_and_others_do_not(people: Any) -> None:
    sign_in(Client(REMOTE_ADDR="192.0.2.7"), password="wrong")
    client = Client()
    client.force_login(people.administrator)
    page = client.get("/admin/access/signin/")
    assert page.status_code == 200
    assert b"192.0.2.7" in page.content
    row = SignIn.objects.order_by("id").first()
    assert client.get(f"/admin/access/signin/{row.pk}/change/").status_code == 200
    assert client.post(f"/admin/access/signin/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    for user in (people.operator, people.viewer):
        client.force_login(user)
        assert client.get("/admin/access/signin/").status_code == 403


# --- tokens ---------------------------------------------------------------------------------------------------------


def cleans(secret: str) -> int:
    return request("POST", "/grab-cleanup", headers={"Authorization": f"Bearer {secret}"}).status


def rotated(people: Any) -> str:
    out = StringIO()
    call_command("token", "steer", "--rotate", stdout=out)
    return out.getvalue().strip()


def test_a_rotated_tokens_old_secret_is_valid_for_a_while(people: Any, valkey: Any) -> None:
    new = rotated(people)
    assert (cleans(new), cleans(people.steering_token)) == (200, 200)
    ApiToken.objects.update(previous_until=timezone.now() - timedelta(seconds=1))
    assert (cleans(new), cleans(people.steering_token)) == (200, 401)


def test_without_a_grace_it_ends_at_once(people: Any, settings: Any, valkey: Any) -> None:
    settings.OVEN_TOKEN_GRACE_S = 0
    new = rotated(people)
    assert (cleans(new), cleans(people.steering_token)) == (200, 401)


def test_of_two_rotations_the_last_two_secrets_are_valid(people: Any, valkey: Any) -> None:
    first, second = rotated(people), rotated(people)
    assert (cleans(people.steering_token), cleans(first), cleans(second)) == (401, 200, 200)


def test_an_old_secret_expires_with_its_token(people: Any, valkey: Any) -> None:
    new = rotated(people)
    ApiToken.objects.update(expires_at=timezone.now())
    assert (cleans(new), cleans(people.steering_token)) == (401, 401)


def test_a_token_that_was_never_rotated_has_no_second_secret(people: Any, valkey: Any) -> None:
    ApiToken.objects.update(previous_until=timezone.now() + timedelta(days=1))
    assert cleans("") == 401


def test_only_a_token_that_is_there_can_be_rotated() -> None:
    with pytest.raises(CommandError, match="no token named"):
        call_command("token", "nobody", "--rotate")


def test_the_admin_rotates_and_shows_the_secret_once(people: Any, valkey: Any) -> None:
    client = Client()
    client.force_login(people.administrator)
    token = ApiToken.objects.get(name="steer")
    data = {"action": "rotate", "_selected_action": [token.pk]}
    page = client.post("/admin/access/apitoken/", data, follow=True).content.decode()
    secret = page.partition("<code>")[2].partition("</code>")[0]
    assert secret.startswith("oven_")
    assert cleans(secret) == 200
    assert secret not in client.get("/admin/access/apitoken/").content.decode()
    from django.contrib.admin.models import LogEntry

    assert LogEntry.objects.get().change_message == "rotated"
    shown = client.get(f"/admin/access/apitoken/{token.pk}/change/").content.decode()
    assert "Last used" in shown
    assert token.digest not in shown
