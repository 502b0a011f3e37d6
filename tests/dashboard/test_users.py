"""Accounts and groups in the admin: nobody gives, or takes over, more than they have."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.test import Client

pytestmark = pytest.mark.django_db
USERS, GROUPS = "/admin/auth/user/", "/admin/auth/group/"
FIELDS = {
    "username": "dana",
    "first_name": "",
    "last_name": "",
    "email": "dana@example.com",
    "is_active": "on",
    "is_staff": "on",
    "date_joined_0": "2026-01-01",
    "date_joined_1": "00:00:00",
}
PASSWORDS = {"usable_password": "true", "password1": "Long-enough-7", "password2": "Long-enough-7"}


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


@pytest.fixture
def administrator(people: Any) -> Client:
    found = Client()
    found.force_login(people.administrator)
    return found


@pytest.fixture
def superuser(people: Any) -> Client:
    found = Client()
    found.force_login(people.staff)
    return found


def account(**fields: Any) -> Any:
    return get_user_model().objects.create_user("dana", "dana@example.com", "old", is_staff=True, **fields)


def beyond() -> Any:
    """A permission that administrators lack."""
    return Permission.objects.get(content_type__app_label="sessions", codename="delete_session")


def change(client: Client, row: Any, **fields: Any) -> int:
    return int(client.post(f"{USERS}{row.pk}/change/", {**FIELDS, **fields}).status_code)


def test_an_administrator_edits_accounts_and_gives_roles(administrator: Client) -> None:
    row = account(is_superuser=False)
    roles = list(Group.objects.filter(name__in=["viewer", "administrator"]).values_list("pk", flat=True))
    assert change(administrator, row, email="new@example.com", groups=roles) == 302
    row.refresh_from_db()
    assert (row.email, row.groups.count(), row.is_staff) == ("new@example.com", 2, True)
    assert administrator.post(f"{USERS}{row.pk}/password/", PASSWORDS).status_code == 302
    row.refresh_from_db()
    assert row.check_password("Long-enough-7")
    assert administrator.post(f"{USERS}{row.pk}/delete/", {"post": "yes"}).status_code == 302


@pytest.mark.parametrize("field", ["is_superuser", "user_permissions"])
def test_an_administrator_is_not_offered_what_is_for_superusers(
    administrator: Client, superuser: Client, field: str
) -> None:
    row = account()
    assert f'name="{field}"' not in administrator.get(f"{USERS}{row.pk}/change/").content.decode()
    assert f'name="{field}"' in superuser.get(f"{USERS}{row.pk}/change/").content.decode()


@pytest.mark.parametrize("own", [True, False])
def test_an_administrator_makes_no_superuser_by_hand(administrator: Client, people: Any, own: bool) -> None:
    row = people.administrator if own else account()
    given = beyond()
    assert change(administrator, row, username=row.username, is_superuser="on") == 403
    assert change(administrator, row, username=row.username, user_permissions=[given.pk]) == 403
    added = {"username": "eve", **PASSWORDS, "is_superuser": "on"}
    assert administrator.post(f"{USERS}add/", added).status_code == 403
    assert not get_user_model().objects.filter(username="eve").exists()
    row.refresh_from_db()
    assert (row.is_superuser, row.user_permissions.count()) == (False, 0)


@pytest.mark.parametrize(
    "kind", ["superuser", "inactive superuser", "more permissions", "a larger group", "inactive, a larger group"]
)
def test_an_administrator_does_not_take_over_an_account_that_may_do_more(administrator: Client, kind: str) -> None:
    row = account(is_superuser="superuser" in kind, is_active="inactive" not in kind)
    if kind == "more permissions":
        row.user_permissions.add(beyond())
    if kind.endswith("a larger group"):
        larger = Group.objects.create(name="larger")
        larger.permissions.add(beyond())
        row.groups.add(larger)
    before = get_user_model().objects.filter(pk=row.pk).values().get()
    assert change(administrator, row, email="mine@example.com", is_active="") == 403
    assert administrator.post(f"{USERS}{row.pk}/password/", PASSWORDS).status_code == 403
    assert administrator.post(f"{USERS}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    administrator.post(USERS, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert get_user_model().objects.filter(pk=row.pk).values().get() == before


def test_a_page_that_may_only_be_seen_shows_no_hash(administrator: Client) -> None:
    row = account(is_superuser=True)
    page = administrator.get(f"{USERS}{row.pk}/change/")
    assert page.status_code == 200
    assert row.password.split("$")[-1] not in page.content.decode()


def test_an_administrator_puts_nobody_into_a_group_that_may_do_more(administrator: Client) -> None:
    row, larger = account(), Group.objects.create(name="larger")
    larger.permissions.add(beyond())
    assert f'value="{larger.pk}"' not in administrator.get(f"{USERS}{row.pk}/change/").content.decode()
    assert change(administrator, row, groups=[larger.pk]) == 200  # the form again: not a valid choice
    assert row.groups.count() == 0


def test_an_administrator_puts_no_more_into_a_group_than_they_have(administrator: Client, people: Any) -> None:
    own, mine = people.administrator.groups.get(), beyond()
    allowed = Permission.objects.get(codename="view_grab")
    given = {"name": own.name, "permissions": [allowed.pk, mine.pk]}
    assert administrator.post(f"{GROUPS}{own.pk}/change/", given).status_code == 200
    assert administrator.post(f"{GROUPS}add/", {"name": "new", "permissions": [mine.pk]}).status_code == 200
    assert administrator.post(f"{GROUPS}add/", {"name": "good", "permissions": [allowed.pk]}).status_code == 302
    assert set(Group.objects.filter(permissions=mine)) == set()
    assert Group.objects.get(name="good").permissions.count() == 1


def test_an_administrator_changes_no_group_that_may_do_more(administrator: Client) -> None:
    larger = Group.objects.create(name="larger")
    larger.permissions.add(beyond())
    given = {"name": "smaller", "permissions": []}
    assert administrator.post(f"{GROUPS}{larger.pk}/change/", given).status_code == 403
    assert administrator.post(f"{GROUPS}{larger.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Group.objects.get(pk=larger.pk).permissions.count() == 1


def test_an_administrator_removes_no_passkey_of_a_superuser(administrator: Client, people: Any) -> None:
    from allauth.mfa.models import Authenticator

    rows = [
        Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop"})
        for user in (people.staff, people.viewer)
    ]
    found = [
        administrator.post(f"/admin/mfa/authenticator/{row.pk}/delete/", {"post": "yes"}).status_code for row in rows
    ]
    assert found == [403, 302]


def test_a_superuser_gives_everything(superuser: Client) -> None:
    row = account()
    given = beyond()
    assert change(superuser, row, is_superuser="on", user_permissions=[given.pk]) == 302
    row.refresh_from_db()
    assert (row.is_superuser, row.user_permissions.count()) == (True, 1)
    larger = {"name": "larger", "permissions": [given.pk]}
    assert superuser.post(f"{GROUPS}add/", larger).status_code == 302
