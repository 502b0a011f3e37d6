"""Rows taken along: what is in the file, and that it is read piece by piece."""

from __future__ import annotations

import csv
import io
import json
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from captures.models import Grab
from oven.accounts.models import ApiToken
from oven.adminkit import exports
from oven.adminkit.base import Exporting
from tests.rows import one_of_each

pytestmark = pytest.mark.django_db
admin.autodiscover()
GRABS = reverse("admin:captures_grab_changelist")
EXPORTING = [model for model, found in admin.site._registry.items() if isinstance(found, Exporting)]


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


@pytest.fixture
def staff(client: Any, people: Any) -> Any:
    client.force_login(people.staff)
    return client


def export(client: Any, url: str, form: str, rows: list[Any], everything: bool = False) -> Any:
    data = {
        "action": f"export_{form}",
        "_selected_action": [row.pk for row in rows],
        "select_across": int(everything),
    }
    return client.post(url, data)


def body(answer: Any) -> bytes:
    return b"".join(answer)


def table(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(answer).decode())))


@pytest.mark.parametrize("model", EXPORTING, ids=lambda model: model._meta.label_lower)
def test_every_list_exports_all_its_rows_in_both_forms(staff: Any, model: Any) -> None:
    for number in range(3):
        one_of_each(number)
    count = model._default_manager.count()
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    row = model._default_manager.first()
    as_csv = export(staff, url, "csv", [row], everything=True)
    as_json = export(staff, url, "json", [row], everything=True)
    assert as_csv.streaming
    assert as_json.streaming
    lines, objects = table(as_csv), json.loads(body(as_json))
    assert len(lines) == len(objects) == count
    assert list(lines[0]) == list(objects[0])


def test_a_selection_holds_the_selected_and_a_filter_all_that_match(staff: Any) -> None:
    rows = [row for number in range(4) for row in one_of_each(number) if isinstance(row, Grab)]
    Grab.objects.filter(pk=rows[3].pk).update(state="complete")
    assert [line["public_id"] for line in table(export(staff, GRABS, "csv", rows[1:2]))] == ["grab-1"]
    filtered = table(export(staff, f"{GRABS}?state__exact=failed", "csv", rows[:1], everything=True))
    assert [line["public_id"] for line in filtered] == ["grab-2", "grab-1", "grab-0"]


def test_columns_keep_their_names_and_times_are_iso(staff: Any) -> None:
    grab = next(row for row in one_of_each(0) if isinstance(row, Grab))
    grab.refresh_from_db()
    (line,) = table(export(staff, GRABS, "csv", [grab]))
    assert list(line)[:4] == ["id", "public_id", "state", "stage"]
    assert {"piece", "capture_key", "artifact.key", "artifact.bytes", "requested_by.username"} <= set(line)
    assert datetime.fromisoformat(line["created_at"]) == grab.created_at
    assert json.loads(line["spec"]) == grab.spec
    (found,) = json.loads(body(export(staff, GRABS, "json", [grab])))
    assert (found["spec"], found["blank"], found["expires_at"]) == (grab.spec, False, None)
    assert datetime.fromisoformat(found["created_at"]) == grab.created_at


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_no_cell_is_calculated_by_a_spreadsheet(staff: Any, text: str) -> None:
    grab = next(row for row in one_of_each(0) if isinstance(row, Grab))
    Grab.objects.filter(pk=grab.pk).update(detail=text)
    (line,) = table(export(staff, GRABS, "csv", [grab]))
    assert line["detail"] == f"'{text}"
    assert exports.cell(-5) == -5


def test_the_digest_of_a_token_stays_here(staff: Any) -> None:
    token = next(row for row in one_of_each(0) if isinstance(row, ApiToken))
    url = reverse("admin:access_apitoken_changelist")
    (line,) = table(export(staff, url, "csv", [token]))
    assert line["name"] == "token0"
    assert "digest" not in line


def test_whoever_may_not_see_a_list_cannot_export_it(client: Any, people: Any) -> None:
    rows = one_of_each(0)
    client.force_login(people.viewer)
    grab = next(row for row in rows if isinstance(row, Grab))
    assert len(table(export(client, GRABS, "csv", [grab]))) == 1
    token = next(row for row in rows if isinstance(row, ApiToken))
    assert export(client, reverse("admin:access_apitoken_changelist"), "csv", [token]).status_code == 403


def test_rows_are_read_in_pieces_each_found_by_the_last_rows_place(monkeypatch: Any) -> None:
    """Also where several rows have the same time."""
    monkeypatch.setattr(exports, "PIECE", 2)
    for number in range(7):
        one_of_each(number)
    now = timezone.now()
    for number, pk in enumerate(Grab.objects.order_by("pk").values_list("pk", flat=True)):
        Grab.objects.filter(pk=pk).update(created_at=now - timedelta(hours=number // 3))
    expected = list(Grab.objects.order_by("-created_at", "-pk").values_list("public_id"))
    with CaptureQueriesContext(connection) as asked:
        found = list(exports.pieces(Grab.objects.all(), ("public_id",), "created_at"))
    assert [len(piece) for piece in found] == [2, 2, 2, 1]
    assert [row for piece in found for row in piece] == expected
    assert len(asked) == 4
    assert all("OFFSET" not in query["sql"] for query in asked.captured_queries)


def test_an_empty_list_is_an_empty_file() -> None:
    assert exports.as_json(("a",))([], True) + "\n]\n" == "[\n]\n"
    assert exports.as_csv(("a",))([], True) == "a\r\n"
