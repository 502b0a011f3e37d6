from __future__ import annotations

from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client

pytestmark = pytest.mark.django_db


def link(*args: str) -> str:
    out = StringIO()
    call_command("signin", *args, stdout=out)
    return out.getvalue().strip()


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_a_link_works_once() -> None:
    path = path_of(link())
    first, second = Client(), Client()
    answer = first.get(path)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert "_auth_user_id" in first.session
    assert second.get(path).status_code == 403
    assert "_auth_user_id" not in second.session


def test_a_link_expires(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    path = path_of(link())
    later = time.time() + 3700
    monkeypatch.setattr(time, "time", lambda: later)
    assert Client().get(path).status_code == 403


@pytest.mark.parametrize("query", ["", "?sesame=", "?sesame=forged"])
def test_a_forged_link_signs_nobody_in(query: str) -> None:
    client = Client()
    assert client.get(f"/sign-in{query}").status_code == 403
    assert "_auth_user_id" not in client.session


def test_the_first_link_makes_the_staff_user() -> None:
    link()
    link()
    user = get_user_model().objects.get()
    assert (user.username, user.is_staff, user.is_superuser) == ("staff", True, True)
    assert not user.has_usable_password()


def test_an_existing_user_gets_no_new_rights(people: Any) -> None:
    Client().get(path_of(link("--user", "charlie")))
    people.outsider.refresh_from_db()
    assert not people.outsider.is_staff
    assert people.outsider.check_password("charlie")


def test_a_link_leads_to_the_public_address(settings: Any) -> None:
    settings.OVEN_PUBLIC_URL = "https://oven.example/"
    assert link().startswith("https://oven.example/sign-in?")
