"""What those who run Oven look at, of a whole running one: metrics, vitals, probes, and the way of one request."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack, picture


@pytest.fixture(scope="module")
def watched(site: HeldSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("watched") / "data"
    with Stack(data, site.origin, workers=1, OVEN_LOG_FORMAT="json") as stack:
        yield stack


def scraped(stack: Stack) -> Any:
    """`value(name, **labels)`: the sum of the samples that carry these labels."""
    response = stack.get("/metrics", headers=stack.bearer)
    assert response.status_code == 200
    families = list(text_string_to_metric_families(response.text))

    def value(name: str, **labels: str) -> float:
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    return value


def vitals(stack: Stack) -> dict[str, Any]:
    kept: Any = stack.redis().get("oven:vitals")
    return dict(json.loads(kept)) if kept else {}


@pytest.mark.exhaustive("tests/oven/ops/health has vitals, metrics and samples")
def test_every_worker_is_seen_with_its_browser_and_what_it_does(watched: Stack, site: HeldSite) -> None:
    def workers() -> dict[str, dict[str, Any]]:
        return {worker["name"]: worker for worker in vitals(watched).get("workers", [])}

    expected = {"capture 1", "bake 1", "bake 2", "bundle 1", "deliver 1"}
    watched.until(lambda: set(workers()) == expected, 30)
    # Forks share most of their memory; each counts its part of what is shared.
    watched.until(lambda: all(worker["memoryMB"] > 2 for worker in workers().values()), 30)
    with site.holding("anim~seen"):
        answer = watched.later("/grab/png/64/64/anim~seen")
        held = watched.until(lambda: (found := workers()["capture 1"])["job"] and found, 15)
    assert held["job"].startswith("anim~seen-") and held["kind"] == "grab"
    assert held["doing"].startswith("anim~seen png 64×64")
    assert abs(held["since"] / 1000 - time.time()) < 30
    assert picture(answer.result(30)).size == (64, 64)
    done = watched.until(lambda: (found := workers()["capture 1"])["jobs"] == 1 and found, 15)
    assert (done["job"], done["doing"]) == (None, "")
    watched.until(lambda: (workers()["capture 1"]["browserMB"] or 0) > 20, 15)
    found = vitals(watched)
    assert found["memory"]["ovenMB"] > workers()["capture 1"]["browserMB"] + 200
    assert 0 < found["disk"]["percent"] <= 100


@pytest.mark.exhaustive("tests/oven/ops/health has vitals, metrics and samples")
def test_metrics_tell_of_real_grabs(watched: Stack) -> None:
    before = scraped(watched)
    path = "/grab/png/64/64/anim~counted"
    assert picture(watched.get(path)).size == (64, 64)
    assert watched.get(path).status_code == 302
    assert watched.get("/grab/png/64/64/bad-404").status_code == 500

    def changed(name: str, **labels: str) -> float:
        return float(scraped(watched)(name, **labels) - before(name, **labels))

    watched.until(lambda: changed("oven_jobs_total", kind="grab", outcome="complete") == 1, 5)
    assert changed("oven_jobs_total", kind="grab", outcome="failed", code="http_status") == 1
    assert changed("oven_cache_lookups_total", kind="grab", result="hit") == 1
    assert changed("oven_cache_lookups_total", kind="grab", result="miss") == 2
    assert changed("oven_job_span_seconds_count", kind="grab", span="capture") == 1
    assert 0 < changed("oven_job_span_seconds_sum", kind="grab", span="all") < 60
    route = "/grab/<format>/<width>/<height>/<path:piece>"
    watched.until(lambda: changed("oven_http_requests_total", route=route, status="302") == 1, 5)
    assert changed("oven_http_request_seconds_count", route=route, method="GET") == 3
    assert scraped(watched)("oven_workers", pool="capture") == 1
    assert scraped(watched)("oven_redis_up") == 1


@pytest.mark.exhaustive("tests/oven/ops/health has vitals, metrics and samples")
def test_a_grab_is_followed_from_its_request_to_its_attempt(watched: Stack) -> None:
    response = watched.get("/grab/png/64/64/anim~followed", headers={"X-Request-ID": "e2e-follow-me-1"})
    assert response.headers["x-request-id"] == "e2e-follow-me-1"
    (attempt,) = watched.attempts(response.headers["x-grab-id"])
    assert "Asked for by request e2e-follow-me-1" in attempt["log"]


@pytest.mark.exhaustive("tests/oven/ops/health/test_probes.py has the blips")
def test_ready_takes_one_blip_of_the_queue_but_not_two(watched: Stack) -> None:
    assert watched.get("/live").json() == {"ok": True}
    assert watched.get("/pressure").status_code in (200, 503)  # how full this machine is does not matter
    watched.until(lambda: watched.get("/ready").status_code == 200, 10)
    (valkey,) = watched.children("valkey-server") or watched.children("valkey")
    time.sleep(2.1)  # the last look is forgotten
    valkey.send_signal(signal.SIGSTOP)
    try:
        first = watched.get("/ready")
        assert (first.status_code, first.json()["checks"]["redis"]["ok"]) == (200, False)
        second = watched.until(lambda: (found := watched.get("/ready")).status_code == 503 and found, 10)
        assert watched.get("/live").status_code == 200
    finally:
        valkey.send_signal(signal.SIGCONT)
    assert second.json()["error"].startswith("Not ready: redis")
    watched.until(lambda: watched.get("/ready").status_code == 200, 20)
    assert picture(watched.get("/grab/png/64/64/anim~after")).size == (64, 64)


@pytest.mark.exhaustive("tests/oven/ops/health has the samples")
def test_samples_are_written(watched: Stack) -> None:
    rows = "select sum(done) as done from health_minute where kind = 'grab'"
    watched.until(lambda: (watched.rows(rows)[0]["done"] or 0) >= 3, 20)
