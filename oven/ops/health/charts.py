"""What the live page draws: throughput, queue depth and run times of the last hour or day."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from django.db.models import Aggregate, F, IntegerField, Max, Sum, TextField
from django.db.models.expressions import CombinedExpression, Value

from oven.errors import BadRequest
from oven.jobs import registry
from oven.ops.health.models import Minute
from oven.ops.health.quantiles import merged, percentile

SPANS = {"hour": (60, 60), "day": (96, 900)}  # steps, seconds each


class Joined(Aggregate):
    """Texts, with commas between them."""

    function = "STRING_AGG"
    template = "%(function)s(%(expressions)s, ',')"
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="GROUP_CONCAT", **context)


@dataclass(frozen=True, slots=True)
class Step:
    done: int = 0
    failed: int = 0
    depth: int = 0
    durations: str = ""  # digests, with commas between them


def charts(span: str = "hour") -> dict[str, Any]:
    """One entry a step in every list, the oldest first; the last step is the one that is under way.

    `p50`, `p95` are run times in ms of good jobs (waiting does not count), None where there were none; `success` is a
    percentage of those that were not cancelled. Raises BadRequest for an unknown span.
    """
    if span not in SPANS:
        raise BadRequest("span", "span: hour or day is needed.", valid=list(SPANS))
    count, step_s = SPANS[span]
    first = int(time.time()) // step_s - count + 1
    found = _steps(first, step_s // 60)
    by_kind = {
        kind.name: [found.get((kind.name, first + number), Step()) for number in range(count)]
        for kind in registry.kinds()
        if kind.model.shown
    }
    return {
        "span": span,
        "stepS": step_s,
        "from": first * step_s * 1000,
        "kinds": {kind: _lines(steps) for kind, steps in by_kind.items()},
        "success": {kind: _success(steps) for kind, steps in by_kind.items()},
    }


def _steps(first: int, minutes: int) -> dict[tuple[str, int], Step]:
    """Summed up by the database, by kind and step."""
    step = CombinedExpression(F("at"), "/", Value(minutes), output_field=IntegerField())
    rows = Minute.objects.filter(at__gte=first * minutes).order_by().annotate(step=step).values("kind", "step")
    sums = rows.annotate(dones=Sum("done"), fails=Sum("failed"), deepest=Max("depth"), texts=Joined("durations"))
    return {
        (kind, at): Step(done, failed, depth, texts)
        for kind, at, done, failed, depth, texts in sums.values_list(
            "kind", "step", "dones", "fails", "deepest", "texts"
        )
    }


def _lines(steps: list[Step]) -> dict[str, list[Any]]:
    times = [merged(step.durations) for step in steps]
    return {
        "done": [step.done for step in steps],
        "failed": [step.failed for step in steps],
        "depth": [step.depth for step in steps],
        "p50": [percentile(found, 50) for found in times],
        "p95": [percentile(found, 95) for found in times],
    }


def _success(steps: list[Step]) -> float | None:
    done, failed = sum(step.done for step in steps), sum(step.failed for step in steps)
    return round(100 * done / (done + failed), 1) if done + failed else None
