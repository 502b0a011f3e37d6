"""Percentiles from counts: times are sorted into buckets that grow by 8 %, so that any answer is right within 4 %."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable

GROWTH = math.log(1.08)
Digest = Counter[str]  # bucket (a number, as JSON has it) to count


def digest(times_ms: Iterable[float]) -> Digest:
    return Counter(str(round(math.log(max(1.0, ms)) / GROWTH)) for ms in times_ms)


def as_text(found: Digest) -> str:
    return json.dumps(found, separators=(",", ":"))


def merged(texts: str) -> Digest:
    """Of many, as `as_text` wrote them, with commas between them.

    Thousands are read for one chart: equal pairs are counted as texts first, which is faster than a JSON parser.
    """
    pairs = Counter(texts.replace("{", "").replace("}", "").split(","))
    del pairs[""]  # of empty ones
    whole: Digest = Counter()
    for pair, times in pairs.items():
        bucket, count = pair.split(":")
        whole[bucket.strip('"')] += int(count) * times
    return whole


def percentile(found: Digest, percent: float) -> int | None:
    """Milliseconds below which so many percent lie; None of nothing."""
    target = math.ceil(sum(found.values()) * percent / 100)
    seen = 0
    for bucket in sorted(found, key=int):
        seen += found[bucket]
        if seen >= target:
            return round(math.exp(int(bucket) * GROWTH))
    return None
