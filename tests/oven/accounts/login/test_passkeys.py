"""Passkeys, by a key of software: made, used, taken away; and all that does not count as one."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.test import Client

from oven.accounts.models import SignIn
from oven.accounts.rates import rate
from tests.soft_key import SoftKey

pytestmark = pytest.mark.django_db
HERE, PAGE = "https://testserver", "/admin/passkeys/"


@pytest.fixture(autouse=True)
def _on(settings: Any, valkey: Any) -> None:
    settings.OVEN_PASSKEYS, settings.OVEN_PUBLIC_URL = True, HERE


@pytest.fixture
def staff(people: Any) -> Client:
    client = Client()
    client.force_login(people.staff)
    return client


@pytest.fixture
def key() -> SoftKey:
    return SoftKey(HERE, "testserver")


def add(client: Client, key: SoftKey, name: str = "Laptop") -> Any:
    options = client.post(f"{PAGE}begin")
    assert options.status_code == 200, options.content
    return client.post(f"{PAGE}add", {"name": name, "credential": key.made(options.json())})


def sign_in(key: SoftKey, client: Client | None = None, **more: str) -> Any:
    client = client or Client()
    options = client.post("/sign-in/passkey/begin").json()
    return client.post("/sign-in/passkey", {"credential": key.used(options), **more})


def rows() -> list[tuple[str, str, str]]:
    return list(SignIn.objects.exclude(how__in=["link", ""]).order_by("id").values_list("name", "outcome", "how"))


def names() -> list[str]:
    return [row.data["name"] for row in Authenticator.objects.order_by("pk")]


def grown_old(client: Client) -> None:
    session = client.session
    session["oven_began"] = time.time() - 601
    session.save()


# --- made and used --------------------------------------------------------------------------------------------------


def test_what_is_asked_of_the_browser(staff: Client) -> None:
    made = staff.post(f"{PAGE}begin").json()["publicKey"]
    assert made["rp"] == {"id": "testserver", "name": "Oven"}
    assert made["user"]["name"] == "alice"
    asked = made["authenticatorSelection"]
    assert (asked["residentKey"], asked["userVerification"]) == ("required", "required")
    used = Client().post("/sign-in/passkey/begin").json()["publicKey"]
    assert (used["rpId"], used["userVerification"]) == ("testserver", "required")
    assert not used.get("allowCredentials")
    assert len(used["challenge"]) >= 22


def test_a_passkey_signs_in_and_is_seen_to_have_been_used(staff: Client, key: SoftKey, people: Any) -> None:
    assert add(staff, key, "  Lap\x07top ").status_code == 302
    assert names() == ["Laptop"]
    client = Client()
    before = client.session.session_key
    answer = sign_in(key, client, next="/gallery")
    assert (answer.status_code, answer["Location"]) == (302, "/gallery")
    assert client.session["_auth_user_id"] == str(people.staff.pk)
    assert client.session.session_key != before
    assert {"oven_began", "oven_used"} <= set(client.session.keys())
    assert rows() == [("alice", "success", "passkey")]
    assert Authenticator.objects.get().last_used_at is not None
    page = client.get(PAGE).content.decode()
    assert "Laptop" in page
    assert "used now" in page


def test_adding_and_removing_leave_rows_in_the_audit(staff: Client, key: SoftKey) -> None:
    add(staff, key)
    staff.post(f"{PAGE}{Authenticator.objects.get().pk}/remove")
    found = list(LogEntry.objects.order_by("id").values_list("user__username", "action_flag", "object_repr"))
    assert found == [("alice", ADDITION, "passkey Laptop"), ("alice", DELETION, "passkey Laptop")]


def test_a_removed_one_signs_nobody_in(staff: Client, key: SoftKey) -> None:
    add(staff, key)
    assert staff.post(f"{PAGE}{Authenticator.objects.get().pk}/remove").status_code == 302
    assert sign_in(key).status_code == 403
    assert rows() == [("", "failure", "passkey")]


@pytest.mark.parametrize("state", [{"is_active": False}, {"is_staff": False}])
def test_who_may_not_sign_in_does_not(staff: Client, key: SoftKey, people: Any, state: dict[str, bool]) -> None:
    add(staff, key)
    type(people.staff).objects.filter(pk=people.staff.pk).update(**state)
    client = Client()
    assert sign_in(key, client).status_code == 403
    assert "_auth_user_id" not in client.session
    assert rows() == [("alice", "refused", "passkey")]


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_it_leads_nowhere_else(staff: Client, key: SoftKey, wanted: str) -> None:
    add(staff, key)
    assert sign_in(key, next=wanted)["Location"] == "/"


# --- what does not count --------------------------------------------------------------------------------------------


def wrong_origin(key: SoftKey) -> None:
    key.origin = "https://sub.testserver"


def wrong_site(key: SoftKey) -> None:
    key.rp_id = "evil.example"


def not_verified(key: SoftKey) -> None:
    key.verifies = False


def another_key(key: SoftKey) -> None:
    key.key = SoftKey("", "").key


def another_id(key: SoftKey) -> None:
    key.id = b"x" * 16


def nobody(key: SoftKey) -> None:
    key.handle = b"999"


def no_user(key: SoftKey) -> None:
    key.handle = b"\xff"


@pytest.mark.parametrize("spoil", [wrong_origin, wrong_site, not_verified, another_key, another_id, nobody, no_user])
def test_what_is_wrong_signs_nobody_in(staff: Client, key: SoftKey, spoil: Any) -> None:
    add(staff, key)
    spoil(key)
    client = Client()
    assert sign_in(key, client).status_code == 403
    assert "_auth_user_id" not in client.session
    assert rows() == [("", "failure", "passkey")]


@pytest.mark.parametrize("spoil", [wrong_origin, wrong_site, not_verified])
def test_what_is_wrong_is_not_added(staff: Client, key: SoftKey, spoil: Any) -> None:
    spoil(key)
    answer = add(staff, key)
    assert answer.status_code == 400
    assert b"could not be verified" in answer.content
    assert names() == []


def test_a_challenge_counts_once_in_its_own_browser_and_for_a_while(
    staff: Client, key: SoftKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(staff, key)
    client, other = Client(), Client()
    used = {"credential": key.used(client.post("/sign-in/passkey/begin").json())}
    other.post("/sign-in/passkey/begin")
    assert other.post("/sign-in/passkey", used).status_code == 403
    assert Client().post("/sign-in/passkey", used).status_code == 403
    assert client.post("/sign-in/passkey", used).status_code == 302
    client.post("/admin/logout/")
    assert client.post("/sign-in/passkey", used).status_code == 403
    late = {"credential": key.used(client.post("/sign-in/passkey/begin").json())}
    now = time.time()
    monkeypatch.setattr("oven.accounts.login.views.time.time", lambda: now + 301)
    assert client.post("/sign-in/passkey", late).status_code == 403


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "7", "null", "{}", '{"response": []}', '{"response": {"clientDataJSON": 7}}', "[" * 5000]
    + [json.dumps({"response": {"clientDataJSON": "eyJvcmlnaW4iOiJodHRwczovL3Rlc3RzZXJ2ZXIifQ", "userHandle": handle}}) for handle in (None, 7, [], "MQ")]
    + [json.dumps({"id": "MQ", "rawId": "MQ", "type": "public-key", "response": {"clientDataJSON": "eyJvcmlnaW4iOiJodHRwczovL3Rlc3RzZXJ2ZXIifQ", "authenticatorData": "MQ", "signature": "MQ", "userHandle": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"}})],
)  # fmt: skip
def test_what_is_no_credential_is_refused(staff: Client, text: str) -> None:
    client = Client()
    client.post("/sign-in/passkey/begin")
    assert client.post("/sign-in/passkey", {"credential": text}).status_code == 403
    staff.post(f"{PAGE}begin")
    assert staff.post(f"{PAGE}add", {"name": "x", "credential": text}).status_code == 400


def test_too_many_attempts_are_429(settings: Any) -> None:
    settings.OVEN_THROTTLE_SIGN_INS = rate("3/h")
    assert [Client().post("/sign-in/passkey/begin").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert Client().post("/sign-in/passkey").status_code == 429
    assert [row[1] for row in rows()] == ["throttled"]


# --- the page -------------------------------------------------------------------------------------------------------


def test_staff_see_only_their_own(staff: Client, key: SoftKey, people: Any) -> None:
    add(staff, key)
    other = Client()
    other.force_login(people.viewer)
    assert "Laptop" not in other.get(PAGE).content.decode()
    assert other.post(f"{PAGE}{Authenticator.objects.get().pk}/remove").status_code == 404
    assert names() == ["Laptop"]


@pytest.mark.parametrize("path", ["", "begin", "add", "1/remove", "confirm"])
def test_the_page_is_for_staff(people: Any, path: str) -> None:
    for client in (Client(), Client()):
        answer = client.get(PAGE + path) if path == "" else client.post(PAGE + path)
        assert answer.status_code == 302
        assert "/admin/login/" in answer["Location"]
        client.force_login(people.outsider)
        assert client.post(PAGE + path).status_code in (302, 403)


@pytest.mark.parametrize("path", ["begin", "add", "1/remove", "confirm"])
def test_nothing_is_done_by_a_get_or_without_the_form(people: Any, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.staff)
    assert client.get(PAGE + path).status_code in (404, 405)
    assert client.post(PAGE + path).status_code == 403


@pytest.mark.parametrize("path", ["/sign-in/passkey", "/sign-in/passkey/begin"])
def test_signing_in_needs_the_form_too(path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.get(path).status_code == 405
    assert client.post(path).status_code == 403


def test_an_old_sign_in_must_be_confirmed(staff: Client, key: SoftKey) -> None:
    add(staff, key)
    options = staff.post(f"{PAGE}begin").json()
    grown_old(staff)
    kept = Authenticator.objects.get().pk
    page = staff.get(PAGE).content.decode()
    assert "Confirm that it is you" in page
    assert "Add a passkey" not in page
    assert "Remove" not in page
    assert staff.post(f"{PAGE}begin").json()["error"].startswith("Confirm")
    assert staff.post(f"{PAGE}add", {"name": "x", "credential": key.made(options)}).status_code == 403
    assert staff.post(f"{PAGE}{kept}/remove").status_code == 403
    assert names() == ["Laptop"]
    assert staff.post(f"{PAGE}confirm", {"password": "wrong"}).status_code == 403
    assert staff.post(f"{PAGE}{kept}/remove").status_code == 403
    assert staff.post(f"{PAGE}confirm", {"password": "alice"}).status_code == 302
    assert staff.post(f"{PAGE}{kept}/remove").status_code == 302
    assert names() == []


def test_passwords_cannot_be_guessed_there(staff: Client, settings: Any) -> None:
    settings.OVEN_THROTTLE_SIGN_IN_NAMES = rate("2/h")
    found = [staff.post(f"{PAGE}confirm", {"password": "x"}).status_code for _ in range(3)]
    assert found == [403, 403, 429]
    assert staff.post("/admin/login/", {"username": "alice", "password": "alice"}).status_code == 429


@pytest.mark.parametrize("name", ["", "   ", "\x07"])
def test_a_passkey_needs_a_name(staff: Client, key: SoftKey, name: str) -> None:
    assert add(staff, key, name).status_code == 400
    assert names() == []


def test_names_are_cut_and_escaped(staff: Client, key: SoftKey) -> None:
    add(staff, key, "<script>" + "x" * 100)
    assert len(names()[0]) == 60
    assert "<script>x" not in staff.get(PAGE).content.decode()


def test_there_is_an_end_to_how_many(staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oven.accounts.login.passkeys.MOST", 2)
    for name in "ab":
        assert add(staff, SoftKey(HERE, "testserver"), name).status_code == 302
    assert staff.post(f"{PAGE}begin").status_code == 403
    assert "as many passkeys" in staff.get(PAGE).content.decode()


def test_accounts_of_the_provider_have_none(staff: Client, key: SoftKey, people: Any, settings: Any) -> None:
    """Else somebody whose groups were taken away there would come in here for ever."""
    add(staff, key)
    SocialAccount.objects.create(user=people.staff, provider="https://id.example", uid="1")
    settings.OVEN_OIDC_ISSUER, settings.OVEN_OIDC_CLIENT_ID = "https://id.example", "oven"
    assert staff.post(f"{PAGE}begin").status_code == 403
    assert "signed in by the identity provider" in staff.get(PAGE).content.decode()
    assert sign_in(key).status_code == 403
    settings.OVEN_OIDC_ISSUER = ""
    assert sign_in(key).status_code == 302


def test_it_is_linked_where_it_is_looked_for(staff: Client, settings: Any) -> None:
    assert PAGE in staff.get("/admin/").content.decode()
    assert PAGE in staff.get("/").content.decode()
    assert "Sign in with a passkey" in Client().get("/admin/login/").content.decode()
    settings.OVEN_PASSKEYS = False
    assert PAGE not in staff.get("/admin/").content.decode()
    assert PAGE not in staff.get("/").content.decode()


# --- administrators -------------------------------------------------------------------------------------------------


def test_administrators_see_all_and_can_take_one_away(staff: Client, key: SoftKey, people: Any) -> None:
    add(staff, key)
    row = Authenticator.objects.get()
    client = Client()
    client.force_login(people.administrator)
    assert "Laptop" in client.get("/admin/mfa/authenticator/").content.decode()
    page = client.get(f"/admin/mfa/authenticator/{row.pk}/change/")
    assert page.status_code == 200
    assert "attestationObject" not in page.content.decode()
    exported = client.post("/admin/mfa/authenticator/", {"action": "export_json", "_selected_action": [row.pk]})
    assert b"attestationObject" not in b"".join(exported)  # type: ignore[arg-type]
    assert client.get("/admin/mfa/authenticator/add/").status_code == 403
    for user in (people.viewer, people.operator):
        other = Client()
        other.force_login(user)
        assert other.get("/admin/mfa/authenticator/").status_code == 403
    deletion = f"/admin/mfa/authenticator/{row.pk}/delete/"
    assert client.post(deletion, {"post": "yes"}).status_code == 403  # a superuser's
    Authenticator.objects.update(user=people.operator)
    assert client.post(deletion, {"post": "yes"}).status_code == 302
    assert names() == []


def test_identities_are_a_list_of_administrators(people: Any) -> None:
    SocialAccount.objects.create(user=people.viewer, provider="https://id.example", uid="subject-1")
    client = Client()
    client.force_login(people.administrator)
    assert "subject-1" in client.get("/admin/socialaccount/socialaccount/").content.decode()
    assert client.get("/admin/socialaccount/socialapp/").status_code == 404
    client.force_login(people.operator)
    assert client.get("/admin/socialaccount/socialaccount/").status_code == 403
