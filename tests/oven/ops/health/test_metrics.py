from __future__ import annotations

import math
import os
import threading
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from prometheus_client.parser import text_string_to_metric_families

from captures import services
from oven import redis
from oven.accounts.models import ApiToken
from oven.jobs import lifecycle
from oven.jobs.models import Attempt
from oven.ops.health import alerts, metrics, system_status
from oven.ops.metrics import counters
from oven.storage.models import Artifact
from oven.ttl_cache import Kept
from tests.support import request, until

pytestmark = pytest.mark.django_db
ORDER = [
    "method",
    "route",
    "status",
    "kind",
    "lane",
    "span",
    "outcome",
    "result",
    "code",
    "level",
    "pool",
    "store",
    "version",
    "le",
]


@pytest.fixture(autouse=True)
def _fresh(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from the test before, nor for the next."""
    monkeypatch.setattr(system_status, "stored_bytes", Kept(system_status._stored, system_status.STORED_S))
    monkeypatch.setattr(alerts, "slow", Kept(alerts._slow, alerts.SLOW_S))


def scraped() -> dict[str, dict[tuple[str, ...], float]]:
    """All samples, by name and labels."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            labels = sorted(sample.labels.items(), key=lambda label: ORDER.index(label[0]))
            found.setdefault(sample.name, {})[tuple(value for _, value in labels)] = sample.value
    return found


# --- counters -------------------------------------------------------------------------------------------------------


def test_counts_of_several_threads_add_up() -> None:
    def some() -> None:
        for _ in range(500):
            counters.count("oven_cache_lookups", "grab", "hit")

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counters.flush()
    assert counters.read("oven_cache_lookups") == {("grab", "hit"): 2000}


def test_counts_go_out_by_themselves() -> None:
    counters.count("oven_callbacks", "delivered", by=3)
    until(lambda: counters.read("oven_callbacks") == {("delivered",): 3}, 3)


def test_a_fork_sends_what_it_counts_and_nothing_of_its_parents() -> None:
    counters.count("oven_callbacks", "parent")
    pid = os.fork()
    if pid == 0:
        counters.count("oven_callbacks", "fork")
        counters.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    assert counters.read("oven_callbacks") == {("fork",): 1}
    counters.flush()
    assert counters.read("oven_callbacks") == {("fork",): 1, ("parent",): 1}


def test_what_did_not_arrive_is_sent_later(settings: Any) -> None:
    real = settings.REDIS_URL
    settings.REDIS_URL = "unix:///nowhere.sock"
    redis._forget()
    counters.count("oven_callbacks", "delivered")
    counters.flush()
    settings.REDIS_URL = real
    redis._forget()
    counters.flush()
    assert counters.read("oven_callbacks") == {("delivered",): 1}


def test_a_measured_time_lies_in_the_first_bucket_that_holds_it() -> None:
    for seconds in (0.01, 0.011, 7.0, 999.0):
        counters.observe("oven_job_span_seconds", seconds, "grab", "capture")
    found = scraped()
    buckets = {bound: value for (*_, bound), value in found["oven_job_span_seconds_bucket"].items()}
    assert (buckets["0.01"], buckets["0.025"], buckets["5.0"], buckets["10.0"]) == (1, 2, 2, 3)
    assert (buckets["300.0"], buckets["+Inf"]) == (3, 4)
    assert found["oven_job_span_seconds_count"] == {("grab", "capture"): 4}
    assert math.isclose(found["oven_job_span_seconds_sum"]["grab", "capture"], 1006.021)


# --- what is counted ------------------------------------------------------------------------------------------------


def test_jobs_are_counted_by_kind_outcome_and_code(grab: Any) -> None:
    for piece in ("a", "b"):
        job = lifecycle.claim("grab", grab(piece=piece).pk, "w:1:1")
        assert job is not None
        lifecycle.finish(job, {"queue": 20, "capture": 400})
    job = lifecycle.claim("grab", grab(piece="c").pk, "w:1:1")
    assert job is not None
    lifecycle.fail(job, "timeout", "It took too long.", retry=True)
    job = lifecycle.claim("grab", grab(piece="d").pk, "w:1:1")
    assert job is not None
    lifecycle.fail(job, "bad_spec", "No.", retry=False)
    lifecycle.cancel(grab(piece="e"))
    found = scraped()
    assert found["oven_jobs_total"] == {
        ("grab", "complete", ""): 2,
        ("grab", "failed", "bad_spec"): 1,
        ("grab", "cancelled", ""): 1,
    }
    assert found["oven_job_retries_total"] == {("grab", "timeout"): 1}
    assert found["oven_job_span_seconds_count"]["grab", "capture"] == 2
    assert found["oven_job_span_seconds_sum"]["grab", "capture"] == 0.8


def test_cache_lookups_are_counted_where_they_are_answered(grab: Any, wish: Any) -> None:
    grab(piece="a")
    assert services.ask(wish(piece="a")).joined
    assert scraped()["oven_cache_lookups_total"] == {("grab", "miss"): 1, ("grab", "joined"): 1}


def test_the_queue_is_there_with_every_kind_and_lane(grab: Any) -> None:
    grab(piece="a", lane="batch")
    found = scraped()
    assert found["oven_queue_depth"]["grab", "batch"] == 1
    assert found["oven_queue_depth"]["bake", "keep"] == 0
    assert 0 <= found["oven_queue_oldest_seconds"]["grab", "batch"] < 60
    assert (
        set(found["oven_queue_depth"]) == set(found["oven_queue_oldest_seconds"]) == set(found["oven_jobs_running"])
    )


def test_bytes_are_summed_by_store() -> None:
    for key, size in (("a", 5), ("b", 7)):
        Artifact.objects.create(store="art", key=key, mime="image/png", bytes=size, sha256="")
    assert scraped()["oven_stored_bytes"] == {("art",): 12, ("blobs",): 0}


def test_requests_are_counted_by_route_and_not_by_what_callers_make_up() -> None:
    for path in ("/health", "/HEALTH/", "/status/one-12345678", "/status/two-12345678", "/made-up/1", "/made-up/2"):
        request("GET", path)
    request("PUT", "/grab")
    request("BREW", "/health")
    found = scraped()
    assert found["oven_http_requests_total"] == {
        ("GET", "/health", "200"): 2,
        ("GET", "/status/<job_id>", "404"): 2,
        ("GET", "none", "404"): 2,
        ("PUT", "/grab", "404"): 1,
        ("other", "/health", "404"): 1,
    }
    assert found["oven_http_request_seconds_count"]["GET", "/health"] == 2


def test_alerts_and_the_machine_are_there(settings: Any) -> None:
    settings.OVEN_ALERT_MEMORY_PERCENT = 0
    found = scraped()
    assert found["oven_alert"]["memory", "bad"] == 1
    assert 0 < found["oven_memory_used_ratio"][()] < 1
    assert found["oven_memory_own_bytes"][()] > 0
    assert found["oven_redis_up"] == {(): 1}


def test_without_redis_the_rest_is_still_told(settings: Any) -> None:
    settings.REDIS_URL = "unix:///nowhere.sock"
    redis._forget()
    try:
        found = scraped()
    finally:
        redis._forget()
    assert found["oven_redis_up"] == {(): 0}
    assert "oven_queue_depth" in found
    assert "oven_jobs_total" not in found


# --- who may read them ----------------------------------------------------------------------------------------------


def test_names_are_never_picked_by_parameters(people: Any) -> None:
    answer = request("GET", "/metrics", query={"name[]": "oven_info"}, user=people.staff)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"oven_queue_depth" in answer.body


def test_metrics_are_for_those_who_may_watch(people: Any) -> None:
    token = ApiToken(name="prometheus", scopes=["watch"])
    secret = token.renew()
    token.save()
    assert request("GET", "/metrics", headers=people.bearer(secret)).status == 200
    assert request("GET", "/metrics", headers=people.bearer(people.steering_token)).status == 403
    assert request("GET", "/metrics", headers=people.bearer("nonsense")).status == 401
    assert request("GET", "/metrics").status == 401
    assert request("GET", "/metrics", user=people.outsider).status == 401


def test_staff_need_the_permission_to_watch(people: Any) -> None:
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.create_user("walter", is_staff=True)
    assert request("GET", "/metrics", user=user).status == 403
    kind = ContentType.objects.get_for_model(Attempt)
    watch = Permission.objects.filter(codename="watch", content_type__app_label="jobs").first()
    user.user_permissions.add(watch or Permission.objects.create(codename="watch", content_type=kind, name="Watch"))
    assert request("GET", "/metrics", user=user).status == 200
