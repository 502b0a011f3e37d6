"""Lists of history: how they count, page, filter, sort and search, and that every such question has its index."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from captures.models import Grab
from oven.adminkit import changelist
from oven.adminkit.base import HistoryAdmin
from oven.adminkit.changelist import AtLeast, CappedPaginator, GlancingPaginator, periods, seen_values
from oven.jobs.models import Attempt, BulkAction
from oven.storage.models import Artifact
from tests.harness.sizes import sampled
from tests.rows import one_of_each

pytestmark = pytest.mark.django_db
admin.autodiscover()
GRABS = reverse("admin:captures_grab_changelist")
HISTORY: list[Any] = [
    page for model, page in admin.site._registry.items() if isinstance(page, HistoryAdmin) and model is not BulkAction
]
by_page = pytest.mark.parametrize("page", HISTORY, ids=lambda page: page.model.__name__)


@pytest.fixture
def people(db: None, module_people: Any) -> Any:
    return deepcopy(module_people)


@pytest.fixture
def staff(client: Any, people: Any, valkey: Any) -> Any:
    client.force_login(people.staff)
    return client


@pytest.fixture(scope="module")
def module_grabs(module_people: Any) -> list[Grab]:
    return [row for number in range(6) for row in one_of_each(number) if isinstance(row, Grab)]


@pytest.fixture
def grabs(module_grabs: list[Grab]) -> list[Grab]:
    """Six, newest last, with one row of every other model for each."""
    return deepcopy(module_grabs)


def shown(client: Any, url: str = GRABS, **query: Any) -> list[str]:
    answer = client.get(url, query)
    assert answer.status_code == 200, answer.headers
    return [str(row) for row in answer.context["cl"].result_list]


# --- counting and paging --------------------------------------------------------------------------------------------


def test_a_count_stops_at_the_ceiling_and_says_so(grabs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(changelist, "COUNT_CEILING", 4)
    count = CappedPaginator(Grab.objects.order_by("pk"), 2).count
    assert (int(count), str(count), isinstance(count, AtLeast)) == (4, "4+", True)
    count = CappedPaginator(Grab.objects.filter(pk=grabs[0].pk), 2).count
    assert (count, str(count)) == (1, "1")


def test_a_glance_counts_no_further_than_one_page_more(grabs: Any) -> None:
    rows = Grab.objects.order_by("-pk")
    assert str(GlancingPaginator(rows, 2, page=1).count) == "3+"
    assert str(GlancingPaginator(rows, 2, page=3).count) == "6"
    assert GlancingPaginator(rows, 2, page=10**9).last == changelist.GLANCES * 2


def test_pages_follow_one_another_newest_first(staff: Any, grabs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(admin.site._registry[Grab], "list_per_page", 4)
    assert shown(staff) == ["grab-5", "grab-4", "grab-3", "grab-2"]
    assert shown(staff, p=2) == ["grab-1", "grab-0"]
    assert staff.get(GRABS, {"p": 99}).status_code == 302  # to the list, with a word


def test_a_list_can_be_turned_round_but_not_sorted_without_an_index(staff: Any, grabs: Any) -> None:
    columns = list(admin.site._registry[Grab].list_display)
    when, name = columns.index("when") + 1, columns.index("name") + 1  # one for the checkbox
    assert shown(staff, o=str(when))[0] == "grab-0"
    assert shown(staff, o=f"-{name}") == shown(staff)


# --- indexes --------------------------------------------------------------------------------------------------------


@by_page
def test_every_filter_of_a_history_begins_an_index_that_holds_the_lists_order(page: Any) -> None:
    if page.model._meta.app_label == "admin":  # made by a migration of ours, not by the model
        return
    order = [f"-{page.date_hierarchy}", "-id"]
    indexed = [index.fields for index in page.model._meta.indexes]
    assert order in indexed
    for name in page.list_filter:
        assert [name, *order] in indexed, name


@by_page
def test_every_search_by_key_has_an_index(page: Any) -> None:
    with connection.cursor() as cursor:
        for name in page.search_keys:
            model = page.model
            for part in name.split("__")[:-1]:
                model = model._meta.get_field(part).related_model
            field = model._meta.get_field(name.split("__")[-1])
            found = connection.introspection.get_constraints(cursor, model._meta.db_table)
            assert any(index["columns"][:1] == [field.column] for index in found.values()), name


@by_page
def test_no_filter_reads_the_table_for_its_values(page: Any, rf: Any, people: Any) -> None:
    request = rf.get("/")
    request.user = people.staff
    for found in page.get_list_filter(request):
        if isinstance(found, str):
            field = page.model._meta.get_field(found)
            assert field.choices, found


@pytest.mark.parametrize(
    "query",
    [
        *(
            {},
            {"state__exact": "failed"},
            {"source": "test"},
            {"error_code": "timeout"},
            {"created_at__year": "2026"},
        ),
        *({"state__exact": "failed", "created_at__year": "2026", "created_at__month": "3"}, {"blank__exact": "1"}),
        *({"blank__exact": "0"}, {"o": "9"}, {"q": "piece3"}),
    ],
    ids=str,
)
def test_keys_of_a_page_and_its_count_come_from_an_index(staff: Any, grabs: Any, query: dict[str, str]) -> None:
    """SQLite's own plan: no reading of the table, no sorting but of rows of the very same time."""
    with CaptureQueriesContext(connection) as asked:
        shown(staff, **query)
    keys = (
        r'^SELECT "captures_grab"."id" AS "pk"|^SELECT COUNT\(\*\) FROM \(SELECT|^SELECT "captures_grab"."created_at"'
    )
    found = [each["sql"] for each in asked.captured_queries if re.match(keys, each["sql"])]
    assert len(found) >= 2
    with connection.cursor() as cursor:
        for sql in found:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = " / ".join(row[3] for row in cursor.fetchall())
            assert "COVERING INDEX" in plan, f"{sql}\n{plan}"
            assert "TEMP B-TREE FOR ORDER BY" not in plan or "q" in query, f"{sql}\n{plan}"


# --- filters --------------------------------------------------------------------------------------------------------


def test_the_values_of_a_filter_are_those_that_the_table_holds(grabs: Any) -> None:
    for grab, source in zip(grabs, ["b", "a", "b", "", "c", "a"], strict=True):
        Grab.objects.filter(pk=grab.pk).update(source=source)
    assert seen_values(Grab, "source") == ["", "a", "b", "c"]
    Grab.objects.all().delete()
    assert seen_values(Grab, "source") == []


def test_a_filter_offers_no_more_values_than_fit(grabs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(changelist, "VALUES_CEILING", 2)
    for grab in grabs:
        Grab.objects.filter(pk=grab.pk).update(source=f"source{grab.pk}")
    assert len(seen_values(Grab, "source")) == 2


def test_filters_choose_rows_and_name_what_is_empty(staff: Any, grabs: Any) -> None:
    Grab.objects.filter(pk=grabs[2].pk).update(error_code="", source="elsewhere")
    assert shown(staff, error_code="") == ["grab-2"]
    assert shown(staff, source="elsewhere") == ["grab-2"]
    assert "none" in staff.get(GRABS).content.decode()


def test_two_filters_go_by_the_one_that_leaves_few(staff: Any, grabs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(changelist, "FEW", 1)
    Grab.objects.filter(pk=grabs[2].pk).update(source="migration")
    state = grabs[2].state
    with CaptureQueriesContext(connection) as found:
        assert shown(staff, source="migration", state__exact=state) == [str(grabs[2])]
    assert any(f'"id" IN ({grabs[2].pk})' in query["sql"] for query in found.captured_queries)
    assert shown(staff, source="manual", state__exact=state) == []
    monkeypatch.setattr(changelist, "MIXED_CEILING", 2)
    few = staff.get(GRABS, {"source": "test", "blank__exact": "0"}).context["cl"]
    assert str(few.result_count) == "2+"
    assert shown(staff, source="migration", format__exact="none") == []


# --- the date hierarchy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([], [[2024], [2025], [2026]]),
        ([2024], [[2024, 11], [2024, 12]]),
        ([2026], [[2026, 1], [2026, 2]]),
        ([2024, 11], [[2024, 11, 29], [2024, 11, 30]]),
        ([2026, 2], [[2026, 2, 1], [2026, 2, 2]]),
        ([2023], []),
        ([2025, 13], []),
    ],
)
def test_periods_lie_between_the_first_and_the_last_day(chosen: list[int], expected: list[list[int]]) -> None:
    assert periods(date(2024, 11, 29), date(2026, 2, 2), chosen) == expected


def test_the_date_hierarchy_leads_from_years_to_a_day_and_back(staff: Any, grabs: Any) -> None:
    for grab, moment in zip(grabs, [(2024, 5, 1), (2024, 5, 2), (2024, 7, 1), (2025, 1, 1)] * 2, strict=False):
        Grab.objects.filter(pk=grab.pk).update(created_at=datetime(*moment, 12, tzinfo=UTC))

    def dates(**query: Any) -> tuple[list[str], str]:
        found = staff.get(GRABS, query).context["cl"].dates
        return [choice["title"] for choice in found["choices"]], (found["back"] or {}).get("title", "")

    assert dates() == (["2024", "2025"], "")
    assert dates(created_at__year=2025) == (["January 2025"], "All dates")
    assert dates(created_at__year=2024)[0] == ["May 2024", "June 2024", "July 2024"] + [
        f"{month} 2024" for month in ("August", "September", "October", "November", "December")
    ]
    day = {"created_at__year": 2024, "created_at__month": 5, "created_at__day": 2}
    assert dates(**day) == (["2 May"], "May 2024")
    assert shown(staff, **day) == ["grab-5", "grab-1"]


@pytest.mark.parametrize("year", ["x", "0", "99999", "9" * 30, "9" * 5000])
def test_a_date_that_is_none_leads_back_to_the_list(staff: Any, grabs: Any, year: str) -> None:
    assert staff.get(GRABS, {"created_at__year": year}).status_code == 302


# --- searching ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("piece3", ["grab-3"]),
        ("IECE3", ["grab-3"]),  # a part, in any case
        ("grab-3", ["grab-3"]),  # an id
        ("key-3", ["grab-3"]),  # a capture key
        ("grab-", ["grab-5", "grab-4", "grab-3", "grab-2", "grab-1", "grab-0"]),  # how ids begin
        ("nothing of the sort", []),
        ("50%", []),
        ("piece_", []),
        ("  ", ["grab-5", "grab-4", "grab-3", "grab-2", "grab-1", "grab-0"]),
    ],
)
def test_grabs_are_found_by_piece_id_and_key(staff: Any, grabs: Any, text: str, expected: list[str]) -> None:
    assert shown(staff, q=text) == expected


def test_what_a_search_has_counted_is_not_counted_again_unless_filtered(staff: Any, grabs: Any) -> None:
    def pages(**query: Any) -> tuple[int, int, int | None]:
        cl = staff.get(GRABS, query).context["cl"]
        return len(cl.result_list), cl.result_count, cl.paginator.known

    Grab.objects.filter(pk=grabs[4].pk).update(state="complete")
    year = grabs[0].created_at.year
    assert pages(q="key-") == (6, 6, 6)
    assert pages(q="key-", state__exact="complete") == (1, 1, None)
    assert pages(q="key-", created_at__year=year) == (6, 6, None)
    assert pages(q="key-", created_at__year=year - 1) == (0, 0, None)
    assert pages(q="key-4") == (1, 1, None)  # a whole key
    assert pages(q="nothing like it") == (0, 0, 0)


def test_a_search_goes_with_a_filter(staff: Any, grabs: Any) -> None:
    Grab.objects.filter(pk=grabs[4].pk).update(state="complete")
    assert shown(staff, q="piece", state__exact="complete") == ["grab-4"]


def test_names_of_very_many_rows_are_read_in_order_with_the_same_result(
    staff: Any, grabs: Any, monkeypatch: Any
) -> None:
    looked_up = shown(staff, q="piece")
    monkeypatch.setattr("captures.admin.MATCHES", 2)
    page = staff.get(GRABS, {"q": "piece"}).context["cl"]
    assert isinstance(page.paginator, GlancingPaginator)
    assert [str(row) for row in page.result_list] == looked_up


def test_very_many_names_are_read_in_order_with_the_same_result(staff: Any, grabs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("captures.admin.MOST_NAMES", 2)
    monkeypatch.setattr(admin.site._registry[Grab], "list_per_page", 4)
    assert shown(staff, q="piece") == ["grab-5", "grab-4", "grab-3", "grab-2"]
    assert shown(staff, q="piece", p=2) == ["grab-1", "grab-0"]
    assert str(staff.get(GRABS, {"q": "piece"}).context["cl"].result_count) == "5+"


def test_very_many_ids_are_read_in_order_with_the_same_result(staff: Any, grabs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(changelist, "MATCHES", 2)
    assert len(shown(staff, reverse("admin:jobs_attempt_changelist"), q="grab-")) == 6
    assert len(shown(staff, reverse("admin:bakes_delivery_changelist"), q="tape")) == 6


@pytest.mark.parametrize("text", ["grab-2", "oven/grabs/2.png", "2.png", f"{2:064}"])
def test_files_and_attempts_are_found_by_what_they_belong_to(staff: Any, grabs: Any, text: str) -> None:
    attempts = Attempt.objects.filter(job_id=text)
    expected = [str(row) for row in (attempts or Artifact.objects.filter(key="oven/grabs/2.png"))]
    page = "jobs_attempt" if attempts else "artifacts_artifact"
    assert shown(staff, reverse(f"admin:{page}_changelist"), q=text) == expected


def test_a_file_is_found_by_the_id_of_its_job(staff: Any) -> None:
    Artifact.objects.create(key="oven/grabs/orbit-0a1b2c3d.png", mime="image/png", bytes=1, sha256="0" * 64)
    Artifact.objects.create(key="oven/grabs/roz-0a1b2c3d.png", mime="image/png", bytes=1, sha256="0" * 64)
    found = shown(staff, reverse("admin:artifacts_artifact_changelist"), q="orbit-0a1b2c3d")
    assert found == ["oven/grabs/orbit-0a1b2c3d.png"]


def test_a_part_is_looked_for_among_the_newest_rows_only(staff: Any, grabs: Any, monkeypatch: Any) -> None:
    url = reverse("admin:bakes_bake_changelist")
    assert shown(staff, url, q="ape0") == ["bake-0"]
    monkeypatch.setattr("oven.adminkit.changelist.NEWEST", 2)
    assert shown(staff, url, q="ape0") == []
    assert shown(staff, url, q="ape5") == ["bake-5"]


# --- links ----------------------------------------------------------------------------------------------------------


LINKS = [
    ("captures_grab", ["artifacts_artifact", "captures_frozenpiece", "captures_grab"]),
    ("bakes_bake", ["artifacts_artifact", "bakes_delivery"]),
    ("bakes_delivery", ["bakes_bake"]),
    ("bundles_bundle", ["bundles_corebuild", "artifacts_artifact"]),
    ("jobs_attempt", ["captures_grab"]),
    ("artifacts_artifact", ["captures_grab", "bakes_bake", "bundles_bundle"]),
    ("captures_frozenpiece", ["captures_grab"]),
]


@pytest.mark.parametrize(
    ("of", "to"), sampled(LINKS, [LINKS[0], LINKS[3], LINKS[5]], "the gate has a grab, a bundle and an artifact")
)
def test_pages_lead_to_one_another(staff: Any, grabs: Any, of: str, to: list[str]) -> None:
    """To a row's page, or to a list that is narrowed to what belongs to it; none of the links is broken."""
    model = next(model for model in admin.site._registry if model._meta.db_table == of)
    row: Any = model._default_manager.order_by("-pk").first()
    url = (
        reverse(f"admin:{of}_changelist")
        if of == "captures_frozenpiece"
        else reverse(f"admin:{of}_change", args=[row.pk])
    )
    links = set(re.findall(r'class="oven-link" href="(/admin/[^"]+)"', staff.get(url).content.decode()))
    for target in to:
        base = reverse(f"admin:{target}_changelist")
        assert any(re.match(rf"{base}(\d+/change/|\?)", link) for link in links), (target, links)
    for link in links:
        assert staff.get(link.replace("&amp;", "&")).status_code == 200, link
