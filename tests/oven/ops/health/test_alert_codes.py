"""Every alert there is, once up and once down, to receivers that are real. A new code without a case here fails."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from bakes.models import Bake, Site
from bundles.models import CoreBuild
from oven.jobs import registry
from oven.ops.backup.models import BackupRun
from oven.ops.health import alerts, samples
from oven.ops.health.alerts import Facts
from oven.ops.health.load import Part
from oven.ops.health.models import Minute, Notice
from oven.ops.health.notify import changes, outbox, senders
from oven.ops.health.notify.changes import Changes
from oven.ops.metrics import counters
from oven.ops.metrics.machine import Room, room
from oven.ttl_cache import Kept
from tests.oven.ops.health.conftest import Clock
from tests.smtp_server import Mailbox

pytestmark = pytest.mark.django_db
GB = 1 << 30
EASY, FULL = room(1 * GB, 10 * GB), room(10 * GB, 10 * GB)
POOLS = set(django_settings.POOLS)


def facts(*parts: Part, pools: set[str] = POOLS, memory: Room = EASY, disk: Room = EASY) -> Facts:
    return Facts(list(parts), pools, memory, disk)


def queue() -> Iterator[Facts]:
    yield facts(Part("grab", "queued", "now", 101, 1.0))
    yield facts()


def running() -> Iterator[Facts]:
    yield facts(Part("grab", "running", "now", 1, 31.0))
    yield facts()


def memory() -> Iterator[Facts]:
    yield facts(memory=FULL)
    yield facts()


def disk() -> Iterator[Facts]:
    yield facts(disk=FULL)
    yield facts()


def workers(pool: str) -> Callable[[], Iterator[Facts]]:
    def of_pool() -> Iterator[Facts]:
        kind = next(kind.name for kind in registry.kinds() if kind.pool == pool)
        late = Part(kind, "queued", "now", 1, 11.0)
        yield facts(late, pools=POOLS - {pool})
        yield facts(late)

    return of_pool


def failures() -> Iterator[Facts]:
    Minute.objects.create(at=samples.this_minute(), kind="grab", failed=20)
    yield facts()
    Minute.objects.all().delete()
    yield facts()


def http(status: str, seconds: float) -> Callable[[], Iterator[Facts]]:
    def answered() -> Iterator[Facts]:
        _answers(50, "200", 0.1)
        alerts.current(facts())  # what is counted from
        alerts.slow.forget()
        _answers(60, status, seconds)
        yield facts()
        _answers(10_000, "200", 0.1)
        yield facts()

    return answered


def _answers(count: int, status: str, seconds: float) -> None:
    counters.count("oven_http_requests", "GET", "/status", status, by=count)
    for _ in range(count if count < 100 else 2000):
        counters.observe("oven_http_request_seconds", seconds, "GET", "/status")
    counters.flush()


def callbacks() -> Iterator[Facts]:
    bake = Bake.objects.create(public_id="b", code="c", site=Site.UNDELIVERED, site_at=timezone.now())
    yield facts()
    bake.delete()
    yield facts()


def core() -> Iterator[Facts]:
    CoreBuild.objects.all().delete()
    yield facts()
    _core()
    yield facts()


def _core() -> None:
    CoreBuild.objects.create(public_id="core-1", tree="t", state="complete", version="v1")


def backup_old() -> Iterator[Facts]:
    BackupRun.objects.create(good=True, started_at=timezone.now() - timedelta(hours=27))
    yield facts()
    BackupRun.objects.create(good=True)
    yield facts()


CASES: dict[str, Callable[[], Iterator[Facts]]] = {
    "queue": queue,
    "running": running,
    "memory": memory,
    "disk": disk,
    "failures": failures,
    "http_errors": http("503", 0.1),
    "http_slow": http("200", 11.0),
    **{f"workers_{pool}": workers(pool) for pool in sorted(POOLS)},
    "callbacks": callbacks,
    "core": core,
    "backup_old": backup_old,
}


@pytest.fixture(autouse=True)
def _fresh(valkey: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.OVEN_ALERT_MEMORY_PERCENT, settings.OVEN_ALERT_DISK_PERCENT = 80, 90
    monkeypatch.setattr(alerts, "slow", Kept(alerts._slow, 0))
    monkeypatch.setattr(changes, "GATHER", timedelta(0))
    _core()


def test_every_code_has_a_case() -> None:
    assert sorted(CASES) == sorted(alerts.codes())


def test_every_code_in_the_sources_is_declared() -> None:
    """Codes with a pool in their name are built; they are in the table above."""
    root = Path(django_settings.BASE_DIR)
    sources = [
        path for app in ("oven", "bakes", "bundles", "captures", "pins") for path in (root / app).rglob("*.py")
    ]
    found = {code for path in sources for code in re.findall(r'"code": "(\w+)", "level"', path.read_text())}
    assert found
    assert found <= set(alerts.codes())


def test_the_runbook_and_the_rules_know_every_code() -> None:
    text = (Path(django_settings.BASE_DIR) / "docs" / "operations.md").read_text()
    rows = set(re.findall(r"^\| `([\w<>]+)` \|", text, re.MULTILINE))
    wanted = {re.sub(r"^workers_\w+", "workers_<pool>", code) for code in alerts.codes()}
    assert wanted <= rows


@pytest.mark.parametrize("code", alerts.codes())
def test_it_is_sent_once_when_it_is_raised_and_once_when_it_is_over(
    code: str, receiver: Any, mailbox: Mailbox, clock: Clock
) -> None:
    watched, looks = Changes(clock), senders.Looks(clock)
    clock.on(60)

    def look(found: Facts) -> dict[str, str]:
        """What a few looks find; everything is sent that is due."""
        current = alerts.current(found)
        for _ in range(3):
            looks.alerts_seen(watched.note(current))
            looks.whole()
            outbox.send_webhooks()
            outbox.send_mail()
        return {alert["code"]: alert["level"] for alert in current}

    case = CASES[code]()
    level = look(next(case))[code]
    senders.ping(looks)
    posted = [hook.json for hook in receiver.received if hook.path == "/hook"]
    assert [(post["code"], post["state"], post["level"]) for post in posted] == [(code, "raised", level)]
    assert [mail["Subject"].count(posted[0]["text"].split(" (127")[0][:40]) for mail in mailbox.mails] == [1]
    pinged = [hook.path for hook in receiver.received if hook.path.startswith("/ping")]
    assert (pinged, receiver.fetched) == ((["/ping/fail"], []) if level == "bad" else ([], ["/ping"]))

    clock.on(31)
    assert code not in look(next(case))
    posted = [hook.json for hook in receiver.received if hook.path == "/hook"]
    assert Counter(post["state"] for post in posted if post["code"] == code) == {"raised": 1, "over": 1}
    assert len(mailbox.mails) == 1  # one a code in half an hour
    Notice.objects.exclude(done_at=None).update(done_at=timezone.now() - timedelta(minutes=31))
    outbox.send_mail()
    outbox.send_mail()
    (_, over) = mailbox.mails
    assert over["Subject"].startswith(f"[Oven {posted[0]['host']}] Over: ")
    senders.ping(looks)
    assert receiver.fetched[-1] == "/ping"
