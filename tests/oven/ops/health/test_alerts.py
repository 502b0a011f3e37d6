from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from bundles import alerts as bundle_alerts
from bundles.models import CoreBuild
from captures.models import Grab
from oven.jobs import lifecycle
from oven.ops.health import alerts, load, samples, system_status
from oven.ops.health.alerts import Facts
from oven.ops.health.load import Part
from oven.ops.health.models import Minute
from oven.ops.metrics.machine import Room, room
from oven.ttl_cache import Kept

pytestmark = pytest.mark.django_db
GB = 1 << 30
PROVIDED = dict(alerts._provided)
EASY = room(1 * GB, 10 * GB)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No app's own alerts, and nothing remembered."""
    monkeypatch.setattr(alerts, "_provided", {})
    monkeypatch.setattr(alerts, "slow", Kept(alerts._slow, alerts.SLOW_S))


def found(*parts: Part, pools: set[str] | None = None, memory: Room = EASY, disk: Room = EASY) -> dict[str, str]:
    alerts.slow.forget()
    facts = Facts(list(parts), pools if pools is not None else {"capture", "bake"}, memory, disk)
    return {alert["code"]: alert["text"] for alert in alerts.current(facts)}


def test_nothing_is_wrong_when_nothing_is() -> None:
    assert found(Part("grab", "queued", "now", 100, 5.0), Part("grab", "running", "now", 2, 29.0)) == {}


def test_a_long_queue() -> None:
    texts = found(Part("grab", "queued", "now", 90, 5.0), Part("bake", "retrying", "now", 11, 0.0))
    assert texts == {"queue": "101 jobs are waiting (more than 100)."}


def test_a_job_that_runs_for_long() -> None:
    texts = found(Part("grab", "running", "now", 1, 31.0), Part("bake", "cancelling", "now", 1, 95.4))
    assert texts == {"running": "A bake has been running for 95 s (more than 30 s)."}


def test_work_that_no_worker_is_there_for() -> None:
    late = Part("grab", "queued", "now", 3, 11.0)
    assert found(late, pools={"bake"}) == {"workers_capture": "No capture worker is alive, and 3 jobs wait for one."}
    assert found(late, pools={"capture"}) == {}
    assert found(Part("grab", "queued", "now", 3, 9.0), pools=set()) == {}  # they may only be starting


def test_a_full_memory_and_a_full_disk(settings: Any) -> None:
    settings.OVEN_ALERT_MEMORY_PERCENT, settings.OVEN_ALERT_DISK_PERCENT = 80, 90
    texts = found(memory=room(81 * GB, 100 * GB), disk=room(91 * GB, 100 * GB))
    assert texts == {
        "memory": "Memory is 81 % full (82944 of 102400 MB).",
        "disk": "The data disk is 91 % full (93184 of 102400 MB).",
    }
    assert found(memory=room(80 * GB, 100 * GB), disk=room(90 * GB, 100 * GB)) == {}


@pytest.mark.parametrize(
    ("done", "failed", "alert"), [(18, 1, False), (19, 1, False), (38, 2, False), (18, 2, True), (0, 20, True)]
)
def test_many_failures(done: int, failed: int, alert: bool) -> None:
    now = samples.this_minute()
    Minute.objects.create(at=now - 70, kind="grab", failed=500)  # longer than an hour ago
    Minute.objects.create(at=now - 50, kind="grab", done=done, cancelled=40)
    Minute.objects.create(at=now, kind="bake", failed=failed)
    assert ("failures" in found()) is alert
    if alert:
        assert found()["failures"].endswith(f"failed ({failed} of {done + failed}).")


# --- of the apps ----------------------------------------------------------------------------------------------------


def core(state: str) -> CoreBuild:
    return CoreBuild.objects.create(
        public_id=f"core-{CoreBuild.objects.count()}", tree="t", state=state, version="v1"
    )


def test_failures_that_were_requeued_do_not_count(grab: Any) -> None:
    now = timezone.now()
    rows = [grab(piece=f"p{number}") for number in range(5)]
    Grab.objects.update(state="failed", ended_at=now)
    Minute.objects.create(kind="grab", at=samples.this_minute(), done=15, failed=5)
    assert "failures" in found()
    Grab.objects.filter(pk__in=[row.pk for row in rows]).update(requeued_at=now)
    assert "failures" not in found()


def test_no_runtime_in_service() -> None:
    from bundles.alerts import runtime

    assert [alert["level"] for alert in runtime()] == ["bad"]
    first = core("running")
    assert runtime() == []  # it will be there soon
    CoreBuild.objects.filter(pk=first.pk).update(state="failed")
    assert [alert["text"] for alert in runtime()] == ["The runtime v1 could not be packed: nothing can be bundled."]
    core("complete")
    assert runtime() == []
    core("failed")
    assert [(alert["level"], alert["text"]) for alert in runtime()] == [
        ("warn", "The runtime v1 could not be packed; an older one serves.")
    ]


def test_undelivered_callbacks() -> None:
    from bakes.alerts import undelivered
    from bakes.models import Bake, Site

    assert undelivered() == []
    for number, days in enumerate((1, 2, 8)):
        told = timezone.now() - timedelta(days=days)
        Bake.objects.create(public_id=f"b{number}", code="c", site=Site.UNDELIVERED, site_at=told)
    assert [alert["text"] for alert in undelivered()] == [
        "2 callbacks were not delivered: the site has not been told."
    ]


def test_the_apps_alerts_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "_provided", {bundle_alerts.runtime: ("core",)})
    assert list(found()) == ["core"]


def test_every_app_has_said_what_it_watches() -> None:
    assert {f"{check.__module__}.{check.__name__}": codes for check, codes in PROVIDED.items()} == {
        "oven.ops.backup.runs.alerts": ("backup_old",),
        "bakes.alerts.undelivered": ("callbacks",),
        "bundles.alerts.runtime": ("core",),
    }


# --- from rows ------------------------------------------------------------------------------------------------------


def test_real_rows_are_seen(grab: Any) -> None:
    old = timezone.now() - timedelta(seconds=50)
    running = lifecycle.claim("grab", grab(piece="a").pk, "w:1:1")
    assert running is not None
    Grab.objects.filter(pk=running.pk).update(started_at=old)
    late, retrying = grab(piece="b"), grab(piece="c", lane="batch")
    Grab.objects.filter(pk=late.pk).update(created_at=old)
    Grab.objects.filter(pk=retrying.pk).update(
        state="retrying", created_at=old, due_at=timezone.now() + timedelta(60)
    )
    parts = {(part.state, part.lane): part for part in load.parts()}
    assert {at: (part.kind, part.count) for at, part in parts.items()} == {
        ("running", "now"): ("grab", 1),
        ("queued", "now"): ("grab", 1),
        ("retrying", "batch"): ("grab", 1),
    }
    age = (timezone.now() - old).total_seconds()
    for at in (("running", "now"), ("queued", "now")):
        assert 50 <= parts[at].oldest_s <= age
    assert round(parts["retrying", "batch"].oldest_s) == 0
    assert load.waiting(parts.values())["grab"] == 2
    codes = {alert["code"] for alert in system_status.build()["alerts"]}
    assert {"running", "workers_capture"} <= codes
