"""What the bundler asks the site for, on a real local HTTP server."""

from __future__ import annotations

from typing import Any

import pytest

from bundles.program_client import Site as ProgramSite
from oven.egress.client import FetchError
from tests.site_server import Site

SOURCE = "/api/store-kidlisp?code=roz"


def test_an_answer_that_is_not_json_fails_by_name(settings: Any) -> None:
    with Site() as server:
        settings.OVEN_PIECE_ORIGIN = server.origin
        server.pages[SOURCE] = b"<html>"
        with pytest.raises(FetchError) as caught:
            ProgramSite().fetch_source("roz")
    assert (caught.value.code, caught.value.retry) == ("not_json", False)
    assert "/api/store-kidlisp" in caught.value.message


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"source": 7}'])
def test_an_answer_without_a_source_is_no_program(settings: Any, answer: bytes) -> None:
    with Site() as server:
        settings.OVEN_PIECE_ORIGIN = server.origin
        server.pages[SOURCE] = answer
        assert ProgramSite().fetch_source("roz") is None
