"""Pages of the admin that no list leads to by itself: histories, deletions, additions, of every model."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from tests.rows import one_of_each

pytestmark = pytest.mark.django_db
admin.autodiscover()
MODELS = [model for model in admin.site._registry if model._meta.app_label != "django_rq"]
by_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)


@pytest.fixture(scope="module")
def staff(module_people: Any) -> Any:
    """A superuser, in a database with a row of every kind."""
    one_of_each(1)
    return module_people.staff


@pytest.fixture
def browser(staff: Any, db: None, valkey: Any) -> Client:
    found = Client()
    found.force_login(staff)
    return found


def page(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@by_model
def test_every_row_has_a_history(model: type[Model], browser: Client) -> None:
    row = model._default_manager.first()
    assert row is not None
    assert browser.get(page(model, "history", row.pk)).status_code == 200


@by_model
def test_rows_are_added_and_deleted_where_the_admin_allows_it(
    model: type[Model], browser: Client, staff: Any
) -> None:
    row: Any = model._default_manager.first()
    request: Any = RequestFactory().get("/")
    request.user = staff
    options = admin.site._registry[model]
    added = 200 if options.has_add_permission(request) else 403
    assert browser.get(page(model, "add")).status_code == added
    deleted = 200 if options.has_delete_permission(request, row) else 403
    assert browser.get(page(model, "delete", row.pk)).status_code == deleted


def test_the_page_after_a_change_of_password_is_served(browser: Client) -> None:
    assert browser.get("/admin/password_change/done/").status_code == 200
