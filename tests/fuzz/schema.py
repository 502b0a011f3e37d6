"""schemathesis sends every documented route what its schema allows, and what it does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from tests.e2e.stack import Stack
from tests.fuzz.running import LIMIT_S, wrong

WORDS = {"title", "description", "examples"}


@dataclass
class Examined:
    operations: int = 0
    requests: int = 0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"schemathesis: {self.requests} requests of {self.operations} operations"


def examine(oven: Stack, examples: int) -> Examined:
    """So many examples of each operation, of either mode; the same ones every time."""
    schema = schemathesis.openapi.from_url(f"{oven.base}/docs/openapi.json")
    found = Examined()
    for operation in (result.ok() for result in schema.get_all_operations()):
        found.operations += 1
        for mode in GenerationMode if _can_be_wrong(operation) else (GenerationMode.POSITIVE,):
            _send(oven, operation.as_strategy(generation_mode=mode), examples, found)
    return found


def _can_be_wrong(operation: Any) -> bool:
    """Return False when all that it takes are any texts in its path: Hypothesis would try 450 times to find a wrong one."""
    parameters = [parameter.definition for parameter in operation.iter_parameters()]
    rules = [set(item["schema"]) - WORDS for item in parameters if item["in"] == "path"]
    return bool(operation.body) or len(rules) < len(parameters) or any(rule != {"type"} for rule in rules)


def _send(oven: Stack, strategy: Any, examples: int, found: Examined) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def every(case: Any) -> None:
        found.requests += 1
        answer = case.call(base_url=oven.base, headers=oven.bearer, timeout=LIMIT_S, allow_redirects=False)
        raw = f"HTTP/1.1 {answer.status_code}\r\n\r\n".encode() + answer.content
        if complaint := wrong(str(answer.status_code), raw):
            found.wrong.append(f"{complaint}: {case.as_curl_command()}")

    try:
        every()
    except Exception as error:
        if "Unsatisfiable" not in type(error).__name__:  # of some operations nothing can be wrong
            raise
