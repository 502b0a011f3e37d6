"""What holds a browser and its pages: the sandbox, the kernel's bounds, the watchdog, and whoever clears up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

from captures.engine import box, cdp
from captures.engine.chromium import BrowserOptions
from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.host import EngineHost
from captures.engine.process import Family, held
from captures.engine.spec import CaptureResult, CaptureSpec, Format
from captures.engine.watchdog import Watchdog
from tests.engine import filtered as filtering
from tests.engine import ordinary_user
from tests.harness.sizes import sampled
from tests.piece_server import PieceServer

Capture = Callable[..., CaptureResult]


def failure_of(host: EngineHost, site: PieceServer, piece: str, place: Path, **fields: Any) -> CaptureError:
    spec = CaptureSpec(url=f"{site.origin}/{piece}", width=128, height=128, duration_ms=10_000, fps=20, **fields)
    with pytest.raises(CaptureError) as failure:
        host.capture(spec, place).result(60)
    return failure.value


# --- the sandbox ----------------------------------------------------------------------------------------------------


def test_the_sandbox_is_on_for_an_ordinary_user() -> None:
    if not ordinary_user.command():
        pytest.skip("no ordinary user of this machine can run our Python, or have namespaces of their own")
    found = ordinary_user.box_of_a_page()
    assert found["sandboxed"] is True
    assert found["seccomp"] == 2  # its system calls are filtered
    assert found["namespaces"] == ["user", "pid", "net"]


@pytest.mark.parametrize(("setting", "root", "on"), [(None, False, True), (None, True, False), (False, False, False)])
def test_the_sandbox_is_off_for_root_and_for_whoever_says_so(
    monkeypatch: pytest.MonkeyPatch, setting: bool | None, root: bool, on: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    assert ("--no-sandbox" not in BrowserOptions(sandbox=setting).flags(True)) is on


# --- the profile for containers, the unit for systemd ---------------------------------------------------------------

EXAMPLES = ordinary_user.ROOT / "docs" / "examples"
PROFILE = EXAMPLES / "seccomp.json"
FORBIDDEN = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def tried(call, *arguments):
    return errno.errorcode.get(ctypes.get_errno(), "") if getattr(libc, call)(*arguments) < 0 else "done"
print(tried("mount", b"none", b"/", None, 0, None), tried("ptrace", 16, 1, 0, 0), tried("unshare", 0x20000),
      tried("setns", 0, 0), tried("socket", 40, 1, 0), tried("syscall", 425, 8, 0))
"""


def filtered(profile: Path) -> list[str]:
    return [sys.executable, str(Path(filtering.__file__)), str(profile)]


@pytest.fixture
def _has_seccomp() -> None:
    if not filtering.NAME or not ordinary_user.command():
        pytest.skip("no libseccomp, or no ordinary user with namespaces of their own")


@pytest.mark.usefixtures("_has_seccomp")
def test_the_profile_for_containers_lets_the_sandbox_be_on() -> None:
    found = ordinary_user.box_of_a_page(*filtered(PROFILE))
    assert (found["seccomp"], found["namespaces"]) == (2, ["user", "pid", "net"])


@pytest.mark.usefixtures("_has_seccomp")
def test_without_namespaces_a_browser_says_what_it_needs(tmp_path: Path) -> None:
    profile = json.loads(PROFILE.read_text())
    for entry in profile["syscalls"]:
        if entry["names"] in (["clone"], ["unshare"]):
            entry["args"][0]["value"] = 0x7E020080  # of all kinds, as by Docker's own profile
    (tmp_path / "strict.json").write_text(json.dumps(profile))
    with pytest.raises(AssertionError, match="needs user namespaces"):
        ordinary_user.box_of_a_page(*filtered(tmp_path / "strict.json"))


@pytest.mark.usefixtures("_has_seccomp")
def test_the_profile_for_containers_forbids_what_leads_out_of_one() -> None:
    words = [*filtered(PROFILE), *ordinary_user.command(), "-c", FORBIDDEN]
    done = subprocess.run(words, cwd="/", env=ordinary_user.environment(), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["EPERM"] * 6


def test_the_unit_is_what_systemd_understands(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd here")
    unit = tmp_path / "oven.service"
    unit.write_text((EXAMPLES / "oven.service").read_text().replace("/opt/oven/.venv/bin/python", sys.executable))
    checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    rated = ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit]  # 2.5 of 10
    assert subprocess.run(rated, capture_output=True, check=False).returncode == 0


# --- the kernel's bounds --------------------------------------------------------------------------------------------


def test_every_process_of_a_browser_is_bound(host: EngineHost, capture: Capture) -> None:
    capture("dot", format=Format.PNG)
    assert host.engine.browser is not None
    looks = {}
    for process in host.engine.browser.process.tree():
        with contextlib.suppress(FileNotFoundError):  # the page's has ended meanwhile
            looks[process.pid] = ordinary_user.look(process.pid)
    assert len(looks) > 3
    assert {(found["core"], found["data"]) for found in looks.values()} == {("0", 4096 << 20)}


@pytest.mark.exhaustive("test_every_process_of_a_browser_is_bound reads the bounds")
def test_a_page_is_bound_even_when_nobody_watches(
    site: PieceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captures.engine.engine.Watchdog", Mock())
    taken: list[int] = []
    with EngineHost(BrowserOptions(bounds=box.Bounds(data_mb=1200))) as host:

        def look(_: Any) -> None:
            if host.engine.browser is not None:
                taken.extend(map(held, host.engine.browser.process.family().pages))

        spec = CaptureSpec(url=f"{site.origin}/bad-hog", width=128, height=128, duration_ms=3000, fps=20)
        try:
            host.capture(spec, tmp_path, look).result(60)  # it goes on with what it has got
        except CaptureError as error:
            assert error.code is ErrorCode.CRASHED
        spec = CaptureSpec(url=f"{site.origin}/dot", format=Format.PNG)
        assert host.capture(spec, tmp_path).result(30).frames == 1
    assert 200 << 20 < max(taken) < 1200 << 20


# --- the watchdog ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece", sampled(["bad-hog", "bad-textures"], ["bad-textures"], "test_modes.py has the other")
)
def test_what_a_page_takes_counts_wherever_it_takes_it(
    host: EngineHost, site: PieceServer, tmp_path: Path, piece: str
) -> None:
    error = failure_of(host, site, piece, tmp_path, memory_limit_mb=300)
    assert error.code is ErrorCode.MEMORY
    used = int(error.message.split()[3])
    assert 300 <= used < 1200
    assert host.engine.browser is None  # it does not sit there with what it has taken


def test_a_page_with_many_requests_is_ended(host: EngineHost, site: PieceServer, tmp_path: Path) -> None:
    error = failure_of(host, site, "bad-requests", tmp_path, max_requests=100)
    assert error.code is ErrorCode.REQUESTS
    assert error.message == "The page sent more than 100 requests over the network."


def test_a_page_with_many_processes_is_ended() -> None:
    """The headless shell puts the frames of all sites into one; the full browser does not."""
    sleepers = [subprocess.Popen(["/bin/sleep", "60"]) for _ in range(4)]
    family = Family(root=os.getpid(), pages=[sleeper.pid for sleeper in sleepers], others=[os.getpid()])
    browser: Any = SimpleNamespace(
        process=SimpleNamespace(family=lambda: family), options=BrowserOptions(page_processes=3), suspect=False
    )
    doomed: list[CaptureError] = []
    tab: Any = SimpleNamespace(spec=CaptureSpec(url="http://piece.test/"), condemn=doomed.append)

    async def watched() -> None:
        Watchdog(browser, tab)
        while not doomed:
            await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(watched(), 10))
    assert [(error.code, error.message) for error in doomed] == [
        (ErrorCode.PROCESSES, "The page ran 4 processes of at most 3.")
    ]
    assert browser.suspect
    assert [sleeper.wait(5) for sleeper in sleepers] == [-signal.SIGKILL] * 4


# --- what comes out of the pipe -------------------------------------------------------------------------------------


async def test_a_message_that_is_too_long_is_not_kept() -> None:
    connection = cdp.Connection()
    heard: list[dict[str, Any]] = []
    connection.on("", "said", heard.append)
    connection.data_received(b'{"method": "said"')
    for part in (b'{"method"' + b" " * cdp.LARGEST_EVENT, b" " * (1 << 20)):
        connection.data_received(part)
        assert len(connection._buffer) < cdp.LARGEST_EVENT
    connection.data_received(b'\0{"method":"said","params":{"n":1}}\0{"method":"sa')
    connection.data_received(b'id","params":{"n":2}}\0')
    assert heard == [{"n": 1}, {"n": 2}]


def test_what_a_page_says_at_length_is_not_kept(capture: Capture) -> None:
    found = capture("bad-console", format=Format.PNG)
    assert found.evidence["console_errors"] == ["short"]


# --- whoever clears up ----------------------------------------------------------------------------------------------

OWNER = """
import sys, time
from captures.engine.chromium import BrowserOptions
from captures.engine.host import EngineHost
from captures.engine.process import Family
host = EngineHost(BrowserOptions(profiles=sys.argv[1]))
host.warm_up()
print(host.engine.browser.pid, flush=True)
time.sleep(60)
"""


def test_a_browser_that_has_outlived_its_owner_is_ended(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    browser = psutil.Process(int(owner.stdout.readline()))
    family = [browser, *browser.children(recursive=True)]
    assert box.clear(tmp_path) == 0  # it is somebody's
    browser.send_signal(signal.SIGSTOP)  # so that it does not see its pipe being closed
    owner.kill()
    owner.wait()
    owner.stdout.close()
    time.sleep(0.3)
    assert alive(family)
    assert box.clear(tmp_path) == 1
    deadline = time.monotonic() + 5
    while alive(family) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (alive(family), list(tmp_path.iterdir())) == ([], [])


def alive(processes: list[psutil.Process]) -> list[int]:
    return [p.pid for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_profiles_are_those_of_living_processes(tmp_path: Path) -> None:
    mine = box.Profile.make(str(tmp_path))
    (tmp_path / f"{box.PREFIX}dead").mkdir()
    young = tmp_path / f"{box.UNBORN}young"
    young.mkdir()
    other = box.Profile.make(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {mine.path.name, other.path.name, young.name}
    os.utime(young, (0, 0))
    mine.remove()
    assert box.clear(tmp_path) == 1
    other.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box, "_lock", lambda path: None)
    profile = box.Profile.make(str(tmp_path))
    assert box.clear(tmp_path) == 0
    profile.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_bound_that_may_not_be_set_keeps_no_browser_from_starting() -> None:
    low = ["/bin/sh", "-c", 'ulimit -n 64; exec "$0" "$@"']
    asked = box.Bounds(files=100_000_000, data_mb=512).around(["/bin/sh", "-c", "ulimit -n; ulimit -d"])
    done = subprocess.run([*low, *asked], capture_output=True, text=True, check=True, user=_nobody())
    assert done.stdout.split() == ["64", str(512 << 10)]


def _nobody() -> int | None:
    return ordinary_user.NOBODY if os.geteuid() == 0 else None
