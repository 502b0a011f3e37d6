"""The ladder of modes, the ready ladder, and what a capture leaves behind."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path

import psutil
import pytest

from captures.engine.browser import WarmBrowser
from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.host import EngineHost
from captures.engine.spec import CaptureResult, CaptureSpec, Format, Mode, Progress, Ready, WarningCode
from tests.piece_server import PieceServer

Capture = Callable[..., CaptureResult]


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_makes_a_picture(capture: Capture, mode: Mode) -> None:
    found = capture("anim", modes=(mode,), duration_ms=500)
    assert found.mode is mode
    assert found.frames == (1 if mode is Mode.STILL else 5)
    assert found.still_reason == ("fallback" if mode is Mode.STILL else "")


def test_a_page_that_spins_on_the_clock_is_served_by_the_injected_clock(capture: Capture) -> None:
    found = capture("bad-busy", step_limit_s=1.0, duration_ms=500)
    assert (found.mode, found.frames) == (Mode.INJECTED, 5)


@pytest.mark.parametrize(
    ("piece", "idle", "limit_ms", "ready"),
    [("anim", False, 3000, Ready.SIGNAL), ("page-idle", True, 3000, Ready.IDLE), ("never", False, 1000, Ready.LIMIT)],
)
def test_the_ready_ladder_says_which_rung_served(
    capture: Capture, piece: str, idle: bool, limit_ms: int, ready: Ready
) -> None:
    found = capture(piece, wait_for_idle=idle, ready_limit_ms=limit_ms, duration_ms=300)
    assert found.ready is ready
    assert found.ready_ms >= (limit_ms if ready is Ready.LIMIT else 50)


def test_a_request_that_never_answers_does_not_hold_the_capture(capture: Capture) -> None:
    started = time.monotonic()
    found = capture("bad-stuck", ready_limit_ms=2000, network_wait_s=2.0)
    assert found.frames == 10
    assert [warning.code for warning in found.warnings] == [WarningCode.NOT_LOADED] * 2  # a picture and a script
    assert time.monotonic() - started < 30


def test_a_page_that_eats_memory_is_ended_and_the_next_is_good(capture: Capture) -> None:
    with pytest.raises(CaptureError) as failure:
        capture("bad-hog", memory_limit_mb=400, duration_ms=10_000, fps=20.0)
    assert failure.value.code is ErrorCode.MEMORY
    assert capture("anim").frames == 10


def test_cancelling_ends_the_page_within_two_seconds(host: EngineHost, site: PieceServer, tmp_path: Path) -> None:
    capturing = threading.Event()

    def report(progress: Progress) -> None:
        if progress.stage == "capturing":
            capturing.set()

    future = host.capture(CaptureSpec(url=f"{site.origin}/anim", duration_ms=30_000, fps=20), tmp_path, report)
    assert capturing.wait(30)
    future.cancel()
    asked = time.monotonic()
    with pytest.raises(CancelledError):
        future.result(5)
    found = host.capture(CaptureSpec(url=f"{site.origin}/anim", format=Format.PNG), tmp_path).result(30)
    assert time.monotonic() - asked < 10
    assert found.frames == 1


def test_a_browser_that_dies_is_replaced(tmp_path: Path, site: PieceServer) -> None:
    spec = CaptureSpec(url=f"{site.origin}/anim", format=Format.PNG, width=64, height=64)
    with EngineHost() as host:
        host.capture(spec, tmp_path).result(60)
        assert host.engine.browser is not None
        first = host.engine.browser.pid
        psutil.Process(first).kill()
        deadline = time.monotonic() + 10
        while psutil.pid_exists(first) and psutil.Process(first).status() != "zombie" and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        assert host.capture(spec, tmp_path).result(60).frames == 1
        assert host.engine.browser.pid != first


def test_a_browser_is_recycled_by_count_and_nothing_is_left_at_the_end(tmp_path: Path, site: PieceServer) -> None:
    spec = CaptureSpec(url=f"{site.origin}/anim", format=Format.PNG, width=64, height=64)
    with EngineHost(BrowserOptions(recycle_grabs=2)) as host:
        pids = []
        for _ in range(3):
            host.capture(spec, tmp_path).result(60)
            assert host.engine.browser is not None
            pids.append(host.engine.browser.pid)
        assert (pids[0] == pids[1], pids[1] == pids[2], host.engine.restarts) == (True, False, 1)
        processes = [child for pid in pids for child in [pid] if psutil.pid_exists(child)]
        assert processes == [pids[2]]
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_a_browser_is_worn_when_its_processes_hold_more_than_the_limit() -> None:
    async def reasons() -> list[str]:
        browser = await WarmBrowser.start(BrowserOptions(recycle_memory_mb=1), begin_frame=True)
        try:
            browser.grabs = 8
            before = browser.worn()
            browser.grabs = 9  # every tenth capture looks
            return [before, browser.worn()]
        finally:
            await browser.close()

    before, reason = asyncio.run(reasons())
    assert before == ""
    assert re.fullmatch(r"uses [1-9]\d+ MB", reason)


def test_the_deadline_holds(capture: Capture) -> None:
    started = time.monotonic()
    with pytest.raises(CaptureError) as failure:
        capture("bad-hang", deadline_s=1.0)
    assert failure.value.code is ErrorCode.TIMEOUT
    assert time.monotonic() - started < 8


def test_redirects_without_end_are_named(capture: Capture) -> None:
    with pytest.raises(CaptureError) as failure:
        capture("bad-redirect")
    assert failure.value.code is ErrorCode.REDIRECTS


def test_an_unreachable_page_is_named(host: EngineHost, tmp_path: Path) -> None:
    with pytest.raises(CaptureError) as failure:
        host.capture(CaptureSpec(url="http://127.0.0.1:1/"), tmp_path).result(30)
    assert failure.value.code is ErrorCode.UNREACHABLE
