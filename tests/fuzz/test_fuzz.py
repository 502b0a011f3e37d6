"""A part of the fuzz that `python -m tests.fuzz` runs in full, and what its judge lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.stack import Stack
from tests.fuzz.cases import Cases
from tests.fuzz.running import TRACEBACK, WAITS, cases_of, run, wrong
from tests.fuzz.site import NoPieces

CASES, SEED = 500, 7


def test_requests_that_are_nearly_right_are_answered_in_time_without_a_traceback(tmp_path: Path) -> None:
    with NoPieces() as site, Stack(tmp_path / "data", piece_origin=site.origin, **WAITS) as oven:
        cases = cases_of(oven, SEED)
        found = run(oven, (cases[number] for number in range(CASES)))
        print(found)
        assert found.wrong == []
        assert sum(found.statuses.values()) == CASES
        assert {"200", "302", "400", "403", "404"} <= set(found.statuses)


def test_a_case_is_the_same_every_time() -> None:
    first, again = (Cases(["/grab/{format}/{width}/{height}/{path:piece}"], 3, "b", "s") for _ in range(2))
    assert [first[number] for number in range(50)] == [again[number] for number in range(50)]
    assert len({first[number].data for number in range(50)}) > 45


HEAD = b"HTTP/1.1 500 Internal Server Error\r\nX: y\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "answer", "is_wrong"),
    [
        ("200", TRACEBACK.encode(), True),
        ("500", HEAD + b"<h1>Server Error</h1>", True),
        ("500", HEAD + b'{"error": "Oven failed.", "message": "The error has been logged."}', True),
        ("500", HEAD + b'{"error": "x"}', True),
        ("500", HEAD + b'{"error": "The piece is not there.", "code": "page", "grabId": "a"}', False),
        ("404", b"HTTP/1.1 404 Not Found\r\n\r\n", False),
    ],
)
def test_the_judge_knows_an_accident_from_a_failure(status: str, answer: bytes, is_wrong: bool) -> None:
    assert bool(wrong(status, answer)) is is_wrong
