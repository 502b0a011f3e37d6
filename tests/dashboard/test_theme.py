"""The admin's side bar: every list is in it, and everybody sees the entries that they may open."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse

from oven.adminkit.theme import UNFOLD
from tests.harness.sizes import sampled

pytestmark = pytest.mark.django_db
admin.autodiscover()
ENTRIES = [item for group in UNFOLD["SIDEBAR"]["navigation"] for item in group["items"]]
ROLES = ["viewer", "operator", "administrator", "staff"]
UNLISTED = {"django_rq"}  # its two names are one page


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


def test_every_list_has_an_entry() -> None:
    links = {str(item["link"]) for item in ENTRIES}
    for model in admin.site._registry:
        if model._meta.app_label not in UNLISTED:
            assert reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") in links, model


@pytest.fixture
def all_entries(settings: Any) -> None:
    """Some are there only when the further ways to sign in are."""
    settings.OVEN_PASSKEYS, settings.OVEN_OIDC_ISSUER = True, "https://id.example"


def may(item: Any, user: Any) -> bool:
    request: Any = RequestFactory().get("/")
    request.user = user
    return bool(item["permission"](request))


@pytest.mark.parametrize("role", ROLES)
def test_people_see_the_entries_that_they_may_open(
    client: Any, people: Any, valkey: Any, all_entries: None, role: str
) -> None:
    user = getattr(people, role)
    client.force_login(user)
    page = client.get("/admin/").content.decode()
    for item in ENTRIES:
        link = str(item["link"])
        assert (f'href="{link}"' in page) == may(item, user) or link == "/", link


@pytest.mark.parametrize(
    "role",
    sampled(
        ROLES,
        gate=["operator", "administrator"],
        reason="test_admin_roles opens our lists as a viewer, test_query_counts every list as staff",
    ),
)
def test_people_can_open_what_they_see_and_nothing_else(
    client: Any, people: Any, valkey: Any, all_entries: None, role: str
) -> None:
    user = getattr(people, role)
    client.force_login(user)
    for item in ENTRIES:
        link = str(item["link"])
        assert (client.get(link).status_code == 200) == may(item, user), link
