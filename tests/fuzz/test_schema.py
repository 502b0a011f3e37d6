"""schemathesis sends every documented route what its schema allows, and what it does not: no server error comes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tests.e2e.stack import Stack
from tests.fuzz.running import WAITS, wrong
from tests.fuzz.site import NoPieces

EXAMPLES = 6  # of each operation and mode
CALM = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def unfed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An Oven whose piece site has no pieces."""
    with NoPieces() as site, Stack(tmp_path_factory.mktemp("unfed") / "data", site.origin, **WAITS) as oven:
        yield oven


def test_no_documented_route_has_a_server_error(unfed: Stack) -> None:
    schema = schemathesis.openapi.from_url(f"{unfed.base}/docs/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    found: list[str] = []
    counts = [examine(unfed, operation, mode, found) for operation in operations for mode in GenerationMode]
    assert found == []
    assert len(operations) > 35
    assert sum(counts) > 2 * len(operations)


def examine(oven: Stack, operation: Any, mode: GenerationMode, found: list[str]) -> int:
    """How many requests of the mode there were; what was wrong is appended to `found`."""
    count = 0

    @CALM
    @given(case=operation.as_strategy(generation_mode=mode))
    def every(case: Any) -> None:
        nonlocal count
        count += 1
        answer = case.call(base_url=oven.base, headers=oven.bearer, timeout=10, allow_redirects=False)
        raw = f"HTTP/1.1 {answer.status_code}\r\n\r\n".encode() + answer.content
        if complaint := wrong(str(answer.status_code), raw):
            found.append(f"{complaint}: {case.as_curl_command()}")

    try:
        every()
    except Exception as error:
        if "Unsatisfiable" not in type(error).__name__:
            raise
    return count
