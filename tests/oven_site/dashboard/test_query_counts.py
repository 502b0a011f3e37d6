"""How often every list and page asks the database, however many rows it shows.

`RECORD_QUERY_COUNTS=1 pytest tests/oven_site/dashboard/test_query_counts.py -n 0` writes what it finds to
`tests/query_counts.json`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.rows import one_of_each

pytestmark = pytest.mark.django_db
admin.autodiscover()
PINNED = Path(settings.BASE_DIR) / "tests" / "query_counts.json"
RECORD = bool(os.environ.get("RECORD_QUERY_COUNTS"))
MODELS = [model for model in admin.site._registry if model._meta.managed]
OTHERS = ["/live/state", "/live/done", "/status", "/grab-status", "/admin/", "/"]


def pinned(name: str, found: int) -> int:
    """What is written down for a page; when recording, what was found becomes it."""
    counts: dict[str, int] = json.loads(PINNED.read_text()) if PINNED.exists() else {}
    if RECORD:
        PINNED.write_text(json.dumps(dict(sorted({**counts, name: found}.items())), indent=1) + "\n")
        return found
    return counts[name]


def queries(client: Any, url: str) -> list[str]:
    ContentType.objects.clear_cache()
    with CaptureQueriesContext(connection) as found:
        assert client.get(url).status_code == 200, url
    return [query["sql"] for query in found.captured_queries]


@pytest.fixture
def staff(client: Any, people: Any, valkey: Any) -> Any:
    client.force_login(people.staff)
    return client


def url_of(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def check(client: Any, name: str, first: str, last: str = "") -> None:
    """The same number with one row and with thirty, and the one that is written down."""
    queries(client, first)  # what is kept for a while (the machine's state) is there from now on
    one = queries(client, first)
    for number in range(1, 30):
        one_of_each(number)
    many = queries(client, last or first)
    assert len(many) == len(one), "\n".join(sorted(set(many) - set(one)))
    assert len(one) == pinned(name, len(one)), "\n".join(one)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_a_list_asks_the_same_whatever_it_holds(staff: Any, model: type[Model]) -> None:
    assert any(isinstance(row, model) for row in one_of_each(0)), "tests/rows.py makes no row of it"
    check(staff, f"{model._meta.label_lower} list", url_of(model, "changelist"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label_lower)
def test_a_page_asks_the_same_however_many_rows_there_are(staff: Any, model: type[Model]) -> None:
    row = next(row for row in one_of_each(0) if isinstance(row, model))
    check(staff, f"{model._meta.label_lower} page", url_of(model, "change", row.pk))


@pytest.mark.parametrize("url", OTHERS)
def test_what_is_asked_for_all_the_time_asks_the_same(staff: Any, url: str) -> None:
    one_of_each(0)
    check(staff, url, url)
