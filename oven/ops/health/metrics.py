"""Everything that can be measured, for Prometheus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from oven.events import snapshot
from oven.jobs import registry
from oven.jobs.states import Lane
from oven.ops.health import load, system_status
from oven.ops.metrics import counters


def text() -> bytes:
    """In the text format; always all of it. Raises DatabaseError."""
    counters.flush()
    found = CollectorRegistry(auto_describe=False)
    found.register(OvenCollector())
    return generate_latest(found)


class OvenCollector(Collector):
    """Looks everything up when it is asked. Without Redis, its counts are left out and `oven_redis_up` is 0."""

    def collect(self) -> Iterator[Metric]:
        yield from _gauges()
        try:
            counted = [*_counters(), *_histograms()]
        except RedisError:
            counted = []
        yield from counted
        yield gauge("oven_redis_up", "Whether Redis answers.", float(bool(counted)))


def gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)


# --- the state now --------------------------------------------------------------------------------------------------


def _gauges() -> Iterator[Metric]:
    info = GaugeMetricFamily("oven_info", "The version that runs.", labels=["version"])
    info.add_metric([snapshot.version()], 1)
    yield info
    parts = load.parts()
    yield from _queues(parts)
    yield from _vitals(system_status.Vitals(**system_status.current()))  # type: ignore[typeddict-item]
    stored = GaugeMetricFamily("oven_stored_bytes", "Bytes of the files kept, as of minutes ago.", labels=["store"])
    for store, size in system_status.stored_bytes().items():
        stored.add_metric([store], size)
    yield stored


def _queues(parts: list[load.Part]) -> Iterator[Metric]:
    """Every kind and lane is there, also when nothing waits."""
    depth = {(kind.name, lane): 0 for kind in registry.kinds() for lane in Lane.values}
    oldest, running = dict.fromkeys(depth, 0.0), dict.fromkeys(depth, 0)
    for part in parts:
        at = part.kind, part.lane
        if part.waiting:
            depth[at] += part.count
            oldest[at] = max(oldest[at], part.oldest_s)
        else:
            running[at] += part.count
    for name, what, values in (
        ("oven_queue_depth", "Jobs that wait.", depth),
        ("oven_queue_oldest_seconds", "How long the oldest of them has been due.", oldest),
        ("oven_jobs_running", "Jobs that run.", running),
    ):
        family = GaugeMetricFamily(name, what, labels=["kind", "lane"])
        for labels, value in values.items():
            family.add_metric(labels, value)
        yield family


def _vitals(found: system_status.Vitals) -> Iterator[Metric]:
    workers = GaugeMetricFamily("oven_workers", "Worker processes that are alive.", labels=["pool"])
    counts: dict[str, int] = defaultdict(int)
    for worker in found["workers"]:
        counts[worker["pool"]] += 1
    for pool, count in counts.items():
        workers.add_metric([pool], count)
    yield workers
    memory, disk = found["memory"], found["disk"]
    yield gauge("oven_memory_used_ratio", "Memory in use, of the machine or container.", memory["percent"] / 100)
    yield gauge(
        "oven_memory_own_bytes", "Memory of Oven's processes on the scheduler's machine.", memory["ovenMB"] << 20
    )
    yield gauge("oven_disk_used_ratio", "The data disk's use.", disk["percent"] / 100)
    alerts = GaugeMetricFamily("oven_alert", "1 for every alert there is.", labels=["code", "level"])
    for alert in found["alerts"]:
        alerts.add_metric([alert["code"], alert["level"]], 1)
    yield alerts


# --- what happened --------------------------------------------------------------------------------------------------


def _counters() -> Iterator[Metric]:
    """Raises RedisError."""
    for name, (what, labels) in counters.COUNTERS.items():
        family = CounterMetricFamily(name, what, labels=labels)
        found = counters.read(name)
        if not labels:  # one value, which is there from the start
            found = {(): 0, **found}
        for values, count in found.items():
            family.add_metric([str(value) for value in values], count)
        yield family


def _histograms() -> Iterator[Metric]:
    """Raises RedisError."""
    for name, (what, labels, bounds) in counters.HISTOGRAMS.items():
        family = HistogramMetricFamily(name, what, labels=labels)
        sums: dict[tuple[str, ...], float] = {}
        counts: dict[tuple[str, ...], list[int]] = {}
        for (*values, bucket), count in counters.read(name).items():
            at = tuple(map(str, values))
            if bucket == "sum":
                sums[at] = count / 1e6
            elif isinstance(bucket, int) and bucket <= len(bounds):
                counts.setdefault(at, [0] * (len(bounds) + 1))[bucket] += count
        for at, by_bucket in counts.items():
            family.add_metric(list(at), _cumulative(by_bucket, bounds), sums.get(at, 0.0))
        yield family


def _cumulative(counts: list[int], bounds: tuple[float, ...]) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, count in zip([*map(str, bounds), "+Inf"], counts, strict=True):
        total += count
        buckets.append((bound, float(total)))
    return buckets
