"""A part of the fuzz that `python -m tests.fuzz` runs in full, and what its judge lets pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.stack import Stack
from tests.fuzz.cases import METHODS, Cases, covering
from tests.fuzz.running import TRACEBACK, WAITS, cases_of, run, wrong
from tests.fuzz.schema import examine
from tests.fuzz.site import NoPieces

CASES, SEED = 400, 7  # the gate sends those of them that are of every kind
EXAMPLES = 1  # of each operation and mode


@pytest.fixture(scope="module")
def unfed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An Oven whose piece site has no pieces, so that nobody waits for one."""
    with NoPieces() as site, Stack(tmp_path_factory.mktemp("unfed") / "data", site.origin, **WAITS) as oven:
        yield oven


def test_requests_that_are_nearly_right_are_answered_in_time_without_a_traceback(
    unfed: Stack, full_size: bool
) -> None:
    possible = cases_of(unfed, SEED)
    cases = [possible[number] for number in range(CASES)]
    chosen = cases if full_size else covering(cases)
    found = run(unfed, chosen)
    print(found)
    assert found.wrong == []
    assert sum(found.statuses.values()) == len(chosen)
    assert {"200", "302", "400", "403", "404"} <= set(found.statuses)


@pytest.mark.exhaustive("generated from the schema; the cases above ask every route that is documented, nearly right")
def test_no_documented_route_has_a_server_error(unfed: Stack) -> None:
    found = examine(unfed, EXAMPLES)
    print(found)
    assert found.wrong == []
    assert found.operations > 35
    assert found.requests > EXAMPLES * found.operations
    assert TRACEBACK not in unfed.log


def test_a_case_is_the_same_every_time() -> None:
    first, again = (Cases(["/grab/{format}/{width}/{height}/{path:piece}"], 3, "b", "s") for _ in range(2))
    assert [first[number] for number in range(50)] == [again[number] for number in range(50)]
    assert len({first[number].data for number in range(50)}) > 45


def test_few_cases_are_of_every_kind() -> None:
    possible = Cases([f"/r{number}/{{any}}" for number in range(90)], SEED, "b", "sessionid=s")
    cases = [possible[number] for number in range(CASES)]
    chosen = covering(cases)
    assert len(chosen) < 120
    assert set().union(*(case.kinds for case in chosen)) == set().union(*(case.kinds for case in cases))
    assert {case.data.split()[0].decode() for case in chosen} >= set(METHODS)


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
