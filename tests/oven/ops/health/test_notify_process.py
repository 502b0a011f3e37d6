"""A scheduler that is killed: pings stop, and the next one repeats nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from tests.e2e.prepared import DATABASE, EMPTY, prepared
from tests.site_server import Site
from tests.support import until


@pytest.fixture
def scheduler(tmp_path: Path, valkey: Any, receiver: Site) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts schedulers on one data directory, without workers: no runtime is packed there, which is an alert."""
    shutil.copy2(prepared() / EMPTY, tmp_path / DATABASE)
    env = {
        "OVEN_DATA": str(tmp_path),
        "REDIS_URL": django_settings.REDIS_URL,
        "OVEN_NO_DOTENV": "1",
        "OVEN_READY_POOLS": "",
        "OVEN_ALERT_MEMORY_PERCENT": "100",
        "OVEN_ALERT_DISK_PERCENT": "100",
        "OVEN_HEALTH_INTERVAL_S": "0.1",
        "OVEN_ALERT_QUIET_S": "0.1",
        "OVEN_PING_EVERY_S": "1",
        "OVEN_PING_URL": f"{receiver.origin}/ping",
        "OVEN_ALERT_WEBHOOK": f"{receiver.origin}/hook",
    }
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("OVEN_", "DJANGO_"))}
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "scheduler"],
            cwd=django_settings.BASE_DIR,
            env={**ours, **env},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)


def test_pings_stop_with_the_scheduler_and_nothing_is_told_twice(scheduler: Any, receiver: Site) -> None:
    def pings() -> int:
        return sum(received.path == "/ping/fail" for received in list(receiver.received))

    def told() -> list[str]:
        return [received.json["code"] for received in list(receiver.received) if received.path == "/hook"]

    first = scheduler()
    until(lambda: pings() and told() == ["core"], 30)
    first.kill()
    first.wait(10)
    time.sleep(0.2)  # what was on its way
    before = pings()
    time.sleep(1.5)
    assert pings() == before
    scheduler()
    until(lambda: pings() > before + 1, 30)
    assert told() == ["core"]
