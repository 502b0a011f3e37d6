"""The paths of the contract are read from the URL table: a new route needs no second list."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from oven.http import routes


def view(request: HttpRequest, **parameters: str) -> HttpResponse:
    return HttpResponse()


API = [path("new-route/part/<path:piece>", view), path("both", view)]
urlpatterns = [
    path("new-page/part", view),
    path("both/part", view),
    path("new-file/<path:key>", routes.contract(lambda request, key: HttpResponse())),
    path("", view),
    path("", include((API, "ninja"), namespace="api")),
]


@pytest.fixture
def table(settings: Any) -> routes.Table:
    settings.ROOT_URLCONF = __name__
    return routes.table()


@pytest.mark.parametrize(
    ("asked", "page", "contract"),
    [
        ("/new-route/part/Piece", False, True),
        ("/new-file/Key", False, True),
        ("/new-page/part", True, False),
        ("/NEW-PAGE/part", True, False),
        ("/both", False, True),
        ("/both/", False, True),
        ("/both/part", True, False),
        ("/static/oven/live.js", True, False),
        ("/", False, False),
        ("/unknown", False, False),
    ],
)
def test_a_path_is_the_contracts_or_a_page_by_its_route(
    table: routes.Table, asked: str, page: bool, contract: bool
) -> None:
    assert (table.is_page(asked), table.is_contract(asked)) == (page, contract)


@pytest.mark.parametrize(
    ("asked", "lowered"),
    [
        ("/New-Route/PART/Piece/Part", "/new-route/part/Piece/Part"),
        ("/New-Route/Other", "/new-route/Other"),
        ("/NEW-FILE/Key", "/new-file/Key"),
        ("/Unknown/Piece", "/Unknown/Piece"),
        ("/", "/"),
    ],
)
def test_the_contracts_names_are_taken_in_any_case(table: routes.Table, asked: str, lowered: str) -> None:
    assert table.lowered(asked) == lowered
