"""How often every list and page asks the database, however many rows it shows.

`RECORD_QUERY_COUNTS=1 pytest tests/dashboard/test_query_counts.py -n 0` writes what it finds to
`tests/query_counts.json`.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from oven.ops.health import alerts, system_status
from tests.harness.sizes import sampled
from tests.rows import one_of_each

admin.autodiscover()
PINNED = Path(settings.BASE_DIR) / "tests" / "query_counts.json"
RECORD = bool(os.environ.get("RECORD_QUERY_COUNTS"))
MODELS = [model for model in admin.site._registry if model._meta.managed]
# Those that grow, and what their pages show of other models.
GROWING = ("captures.Grab", "bakes.Bake", "bundles.Bundle", "jobs.Attempt", "captures.Keep", "captures.FrozenPiece")
GATE = [model for model in MODELS if model._meta.label in GROWING]
OTHERS = ["/live/state", "/live/done", "/status", "/grab-status", "/admin/", "/"]


by_model = pytest.mark.parametrize(
    "model", sampled(MODELS, GATE, "the gate has those that grow"), ids=lambda model: model._meta.label_lower
)


def pinned(name: str, found: int) -> int:
    """What is written down for a page; when recording, what was found becomes it."""
    counts: dict[str, int] = json.loads(PINNED.read_text()) if PINNED.exists() else {}
    if RECORD:
        PINNED.write_text(json.dumps(dict(sorted({**counts, name: found}.items())), indent=1) + "\n")
        return found
    return counts[name]


def url_of(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@dataclass
class Asked:
    """The answer to a request, and what it asked the database."""

    status: int
    queries: list[str]


def forget_what_is_kept() -> None:
    """Make the next request find out the machine's state, which is otherwise kept for some seconds."""
    redis.Redis.from_url(settings.REDIS_URL).delete(system_status.KEY)
    for kept in (system_status.stored_bytes, system_status.rest_memory, alerts.slow):
        kept.forget()


def ask(client: Any, url: str) -> Asked:
    if url in OTHERS:
        forget_what_is_kept()
        client.get(url)  # it is kept from now on, long enough for the next request
    ContentType.objects.clear_cache()
    with CaptureQueriesContext(connection) as found:
        status = client.get(url).status_code
    return Asked(status, [query["sql"] for query in found.captured_queries])


@pytest.fixture(scope="module")
def asked(module_people: Any, _valkey: Any, full_size: bool) -> dict[str, tuple[Asked, Asked]]:
    """By its name, every list and page with one row of each model and with thirty."""
    models = MODELS if full_size or RECORD else GATE
    redis.Redis.from_url(settings.REDIS_URL).flushall()
    client = Client()
    client.force_login(module_people.staff)
    urls = {url: url for url in OTHERS}
    urls |= {f"{model._meta.label_lower} list": url_of(model, "changelist") for model in models}
    for row in one_of_each(0):
        if type(row) in models:
            urls[f"{row._meta.label_lower} page"] = url_of(type(row), "change", row.pk)
    one = {name: ask(client, url) for name, url in urls.items()}
    for number in range(1, 30):
        one_of_each(number)
    return {name: (one[name], ask(client, url)) for name, url in urls.items()}


def check(asked: dict[str, tuple[Asked, Asked]], name: str) -> None:
    """The same number with one row and with thirty, and the one that is written down."""
    one, many = asked[name]
    assert (one.status, many.status) == (200, 200)
    assert len(many.queries) == len(one.queries), "\n".join(sorted(set(many.queries) - set(one.queries)))
    assert len(one.queries) == pinned(name, len(one.queries)), "\n".join(one.queries)


@by_model
def test_a_list_asks_the_same_whatever_it_holds(asked: Any, model: type[Model]) -> None:
    assert f"{model._meta.label_lower} page" in asked, "tests/rows.py makes no row of it"
    check(asked, f"{model._meta.label_lower} list")


@by_model
def test_a_page_asks_the_same_however_many_rows_there_are(asked: Any, model: type[Model]) -> None:
    check(asked, f"{model._meta.label_lower} page")


@pytest.mark.parametrize("url", OTHERS)
def test_what_is_asked_for_all_the_time_asks_the_same(asked: Any, url: str) -> None:
    check(asked, url)
