"""Lists that are drawn once a page look as the theme draws them row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.contrib import admin
from unfold.templatetags import unfold_list

from oven.adminkit import row_cache
from oven.adminkit.templatetags import oven_lists
from tests.harness.sizes import sampled
from tests.rows import one_of_each

pytestmark = pytest.mark.django_db
admin.autodiscover()
LISTS = sorted(model._meta.label for model in admin.site._registry if model._meta.managed)
CHANGING = re.compile(r'name="csrfmiddlewaretoken" value="[^"]*"|nonce="[^"]*"|csrf[^"]*"[^"]*"')
AGO = re.compile(r">(now|an? \w+ ago|\d+\s\w+ ago)<")


def seen(client: Any, url: str) -> str:
    text = client.get(url).content.decode()
    return AGO.sub("><", CHANGING.sub("", re.sub(r"\s+", " ", text))).replace("> <", "><")


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


@pytest.fixture(scope="module")
def rows(module_database: None) -> None:
    for number in range(3):
        for row in one_of_each(number):
            row.save()


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Calls it with the theme's own drawing in place."""

    def call(what: Any, *args: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(unfold_list, "result_headers", row_cache._headings)
            patch.setattr(unfold_list, "items_for_result", row_cache._cells)
            patch.setattr(oven_lists, "_navigations", {})
            return what(*args)

    return call


# With pictures, progress, badges and links of ours; a list with none of these; one that a library has registered.
SHOWN = ["captures.Grab", "bakes.Bake", "bundles.Bundle", "jobs.Attempt", "access.ApiToken", "auth.User"]


@pytest.mark.parametrize("label", sampled(LISTS, SHOWN, "the gate has every kind of column"))
def test_a_list_looks_as_the_theme_draws_it(
    client: Any, rows: None, people: Any, valkey: Any, theirs: Any, label: str
) -> None:
    client.force_login(people.staff)
    url = f"/admin/{label.lower().replace('.', '/')}/"
    ours = seen(client, url)
    assert 'id="result_list"' in ours
    assert ours == theirs(seen, client, url)
    assert ours == seen(client, url)  # with what the first has kept


def test_nobody_is_shown_the_side_bar_of_somebody_else(client: Any, people: Any, valkey: Any, theirs: Any) -> None:
    found = {}
    for name in ("staff", "viewer", "operator", "administrator", "viewer"):
        client.force_login(getattr(people, name))
        ours = seen(client, "/admin/captures/grab/")
        assert ours == theirs(seen, client, "/admin/captures/grab/"), name
        found[name] = ours.count('<ol class="flex') + ours.count("<li>")
    assert found["viewer"] < found["staff"]
