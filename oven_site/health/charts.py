"""What the live page draws: throughput, queue depth and run times of the last hour or day."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from oven_site.contract import BadRequest
from oven_site.health.digest import merged, percentile
from oven_site.health.models import Minute
from oven_site.jobs import registry

SPANS = {"hour": (60, 60), "day": (96, 900)}  # steps, seconds each
Steps = dict[int, list[tuple[int, int, int, str]]]  # by step: done, failed, depth, digest of every minute


def charts(span: str = "hour") -> dict[str, Any]:
    """One entry a step in every list, the oldest first; the last step is the one that is under way.

    `p50`, `p95` are run times in ms of good jobs (waiting does not count), None where there were none; `success` is a
    percentage of those that were not cancelled. Raises BadRequest for an unknown span.
    """
    if span not in SPANS:
        raise BadRequest("span", "span: hour or day is needed.", valid=list(SPANS))
    steps, step_s = SPANS[span]
    first = int(time.time()) // step_s - steps + 1
    found: dict[str, Steps] = {kind.name: defaultdict(list) for kind in registry.kinds() if kind.model.shown}
    rows = Minute.objects.filter(at__gte=first * step_s // 60).order_by()
    for at, kind, done, failed, depth, durations in rows.values_list(
        "at", "kind", "done", "failed", "depth", "durations"
    ):
        if kind in found:
            found[kind][at * 60 // step_s - first].append((done, failed, depth, durations))
    return {
        "span": span,
        "stepS": step_s,
        "from": first * step_s * 1000,
        "kinds": {kind: _lines(by_step, steps) for kind, by_step in found.items()},
        "success": {kind: _success(by_step) for kind, by_step in found.items()},
    }


def _lines(by_step: Steps, steps: int) -> dict[str, list[int | None]]:
    lines: dict[str, list[int | None]] = {name: [] for name in ("done", "failed", "depth", "p50", "p95")}
    for step in range(steps):
        minutes = by_step.get(step, [])
        times = merged(minute[3] for minute in minutes if minute[0])
        lines["done"].append(sum(minute[0] for minute in minutes))
        lines["failed"].append(sum(minute[1] for minute in minutes))
        lines["depth"].append(max((minute[2] for minute in minutes), default=0))
        lines["p50"].append(percentile(times, 50))
        lines["p95"].append(percentile(times, 95))
    return lines


def _success(by_step: Steps) -> float | None:
    minutes = [minute for of_step in by_step.values() for minute in of_step]
    done, failed = sum(minute[0] for minute in minutes), sum(minute[1] for minute in minutes)
    return round(100 * done / (done + failed), 1) if done + failed else None
