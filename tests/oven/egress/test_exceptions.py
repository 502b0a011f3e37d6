"""Exceptions from the address policy: what they open, for how long, and who may make them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from oven.accounts.roles import Role
from oven.egress import exceptions
from oven.egress.client import Door, FetchError, background, download
from oven.egress.models import EgressException, matches, normal_pattern
from oven.egress.policy import decide
from tests.site_server import Site

admin.autodiscover()
LIST = reverse("admin:egress_egressexception_changelist")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    exceptions.forget()
    yield
    exceptions.forget()


@pytest.fixture
def owner(db: None) -> Any:
    return get_user_model().objects.create_user("olga", is_staff=True)


def excepted(pattern: str, owner: Any, **life: float) -> EgressException:
    expires_at = timezone.now() + timedelta(**(life or {"hours": 1}))
    row = EgressException.objects.create(pattern=pattern, owner=owner, reason="a studio", expires_at=expires_at)
    exceptions.forget()
    return row


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("http://10.0.0.5:8080", ["http://10.0.0.5:8080/x"], ["http://10.0.0.5/", "https://10.0.0.5:8080/"]),
        ("http://10.0.0.5", ["http://10.0.0.5/", "http://10.0.0.5:80/"], ["http://10.0.0.5:81/"]),
        ("10.0.0.5", ["http://10.0.0.5/", "https://10.0.0.5:9/"], ["http://10.0.0.50/", "http://110.0.0.5/"]),
        ("[fd00::5]", ["http://[fd00::5]:80/"], ["http://[fd00::6]/"]),
        ("*.studio.example", ["https://a.studio.example/", "http://A.B.studio.example/"], ["http://studio.example/"]),
        ("*.studio.example", [], ["http://studio.example.evil.example/", "http://xstudio.example/"]),
    ],
)
def test_a_pattern_covers_its_own_and_nothing_else(pattern: str, yes: list[str], no: list[str]) -> None:
    assert normal_pattern(f" {pattern.upper()}/ ") == pattern
    assert [url for url in yes if not matches(pattern, url)] == []
    assert [url for url in no if matches(pattern, url)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*",
        "*.",
        "*.com",
        "http://*",
        "ftp://a",
        "10.0.0.0/8",
        "a b",
        "http://a/path",
        "a:80",
        "u@h",
        "**.a.b",
        "a.*.b",
    ],
)
def test_a_pattern_that_says_too_much_or_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        normal_pattern(pattern)


def test_an_exception_opens_its_address_until_it_expires(owner: Any) -> None:
    assert not decide("http://10.0.0.5:8080/").allowed
    row = excepted("http://10.0.0.5:8080", owner)
    assert decide("http://10.0.0.5:8080/x").allowed
    assert not decide("http://10.0.0.5:8081/").allowed
    row.refresh_from_db()
    assert row.used_at is not None
    EgressException.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    exceptions.forget()
    assert not decide("http://10.0.0.5:8080/x").allowed


def test_one_that_expires_while_it_is_remembered_opens_nothing_more(owner: Any) -> None:
    excepted("10.0.0.5", owner, milliseconds=300)
    assert decide("http://10.0.0.5/").allowed
    import time

    time.sleep(0.35)
    assert not decide("http://10.0.0.5/").allowed


def test_an_exception_never_opens_what_is_no_web_address(owner: Any) -> None:
    excepted("10.0.0.5", owner)
    for url in ("file://10.0.0.5/x", "http://user@10.0.0.5/", "http://10.0.0.5\\@evil.example/"):
        assert not decide(url).allowed


@pytest.mark.django_db(transaction=True)
def test_what_oven_fetches_honours_exceptions(tmp_path: Path) -> None:
    owner = get_user_model().objects.create_user("olga")
    with Site() as site:
        with pytest.raises(FetchError):
            background(download(f"{site.origin}/x", tmp_path / "x", Door())).result(20)
        excepted(site.origin, owner)
        with pytest.raises(FetchError) as caught:
            background(download(f"{site.origin}/x", tmp_path / "x", Door())).result(20)
        assert caught.value.status == 404  # it has been asked
        with pytest.raises(FetchError) as caught:  # which origins are known is another question
            background(download(f"{site.origin}/x", tmp_path / "x", Door(origins=("https://a.b",)))).result(20)
        assert caught.value.code == "unknown_origin"


def member(role: Role) -> Client:
    user = get_user_model().objects.create_user(f"the-{role}", is_staff=True)
    user.groups.add(Group.objects.get(name=role.value))
    client = Client()
    client.force_login(user)
    return client


def test_only_administrators_make_exceptions_and_history_says_what(db: None) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        assert member(role).get(LIST).status_code == 403
    client = member(Role.ADMINISTRATOR)
    assert client.get(LIST).status_code == 200
    owner = get_user_model().objects.get(username="the-administrator")
    until = timezone.now() + timedelta(days=7)
    form = {
        "pattern": "http://10.0.0.5:8080/",
        "reason": "the studio's piece server",
        "owner": owner.pk,
        "expires_at_0": f"{until:%Y-%m-%d}",
        "expires_at_1": f"{until:%H:%M:%S}",
    }
    add = reverse("admin:egress_egressexception_add")
    assert "the studio" not in client.get(add).content.decode()
    assert client.post(add, {**form, "pattern": "*"}).status_code == 200  # shown again, with what is wrong
    assert client.post(add, form).status_code == 302
    row = EgressException.objects.get()
    assert (row.pattern, row.owner, row.expired) == ("http://10.0.0.5:8080", owner, False)
    entry = LogEntry.objects.get()
    assert "http://10.0.0.5:8080" in entry.change_message and f"{until:%Y-%m-%d}" in entry.change_message
    assert "open" in client.get(LIST).content.decode()
