"""The admin's side bar: every list is in it, and everybody sees the entries that they may open."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse

from oven_site.dashboard.theme import UNFOLD

pytestmark = pytest.mark.django_db
admin.autodiscover()
ENTRIES = [item for group in UNFOLD["SIDEBAR"]["navigation"] for item in group["items"]]
UNLISTED = {"django_rq"}  # its two names are one page


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


def test_every_list_has_an_entry() -> None:
    links = {str(item["link"]) for item in ENTRIES}
    for model in admin.site._registry:
        if model._meta.app_label not in UNLISTED:
            assert reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") in links, model


@pytest.mark.parametrize("role", ["viewer", "operator", "administrator", "staff"])
def test_people_see_what_they_may_open_and_nothing_else(
    client: Any, people: Any, valkey: Any, settings: Any, role: str
) -> None:
    settings.OVEN_PASSKEYS, settings.OVEN_OIDC_ISSUER = (
        True,
        "https://id.example",
    )  # their entries are there only then
    user = getattr(people, role)
    client.force_login(user)
    request: Any = RequestFactory().get("/")
    request.user = user
    page = client.get("/admin/").content.decode()
    for item in ENTRIES:
        link, allowed = str(item["link"]), item["permission"](request)
        assert (f'href="{link}"' in page) == allowed or link == "/", link
        if "django_rq" not in link:
            assert (client.get(link).status_code == 200) == allowed, link
