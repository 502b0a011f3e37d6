"""What breaks while grabs run and wait: a worker, the queue, the machine, a change of mind. Nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack, picture

LONG = "duration=3000&fps=15"
LONG_FRAMES = 45


@pytest.fixture(scope="module")
def frail(site: HeldSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The tests below break it one after the other; each leaves it working, but the last one stops it."""
    with Stack(
        tmp_path_factory.mktemp("frail") / "data", site.origin, kinds=("capture",), OVEN_RETRY_BASE_S="0.2"
    ) as stack:
        yield stack


@pytest.fixture(scope="module")
def staff(frail: Stack) -> httpx.Client:
    return frail.staff()


def in_mid_grab(frail: Stack, piece: str) -> dict[str, Any]:
    """The row of a grab of which some frames are captured."""

    def captured() -> bool:
        progress = frail.status()["grabProgress"].values()
        return any(entry["piece"] == piece and entry["framesCaptured"] > 3 for entry in progress)

    frail.until(captured, 60, every_s=0.05)
    row = frail.running(piece)
    assert row is not None
    return row


def worker_of(row: dict[str, Any]) -> psutil.Process:
    return psutil.Process(int(row["worker"].rsplit(":", 2)[1]))


def settled(frail: Stack) -> bool:
    """As many workers and browsers as there should be, and no pages left open."""
    return len(frail.children("capture_worker")) == len(frail.browsers()) == frail.workers and len(frail.pages()) <= 2


@pytest.mark.exhaustive("tests/chaos kills workers; tests/oven/jobs has the attempts")
def test_a_grab_whose_worker_is_killed_is_taken_up_again(frail: Stack) -> None:
    answer = frail.later(f"/grab/webp/256/256/anim~killed?{LONG}")
    row = in_mid_grab(frail, "anim~killed")
    victim = worker_of(row)
    assert victim.pid in {process.pid for process in frail.children("capture_worker")}
    started = time.monotonic()
    victim.kill()
    response = answer.result(120)
    print(f"killed worker: a good answer {time.monotonic() - started:.1f} s later")
    assert getattr(picture(response), "n_frames", 1) == LONG_FRAMES
    assert response.headers["x-grab-id"] == row["public_id"]
    first, second = frail.attempts(row["public_id"])
    assert (first["outcome"], first["error_code"]) == ("failed", "worker_lost")
    assert (second["outcome"], second["number"]) == ("complete", 2)
    assert second["worker"] != first["worker"]
    frail.until(lambda: settled(frail), 60)  # the supervisor has ended its browser, and started a new worker
    frail.until(lambda: frail.status()["concurrency"]["max"] == 2, 30)  # the dead one does not count
    assert getattr(picture(frail.get("/grab/webp/64/64/anim~next1?duration=1000&fps=5")), "n_frames", 1) == 5


@pytest.mark.exhaustive("tests/chaos wipes the queue")
def test_nothing_is_lost_when_the_queue_is_wiped(frail: Stack, site: HeldSite) -> None:
    with site.holding("anim~wiped"):
        answers = [frail.later(f"/grab/png/64/64/anim~wiped{n}") for n in range(12)]
        frail.until(lambda: frail.status()["concurrency"]["queueDepth"] == 10)
        frail.redis().flushall()
    started = time.monotonic()
    assert all(picture(answer.result(90)).size == (64, 64) for answer in answers)
    print(f"wiped queue: all good {time.monotonic() - started:.1f} s later")
    assert all(site.count(f"/anim~wiped{n}?") == 1 for n in range(12))
    rows = frail.rows("select attempt from captures_grab where piece like 'anim~wiped%'")
    assert [row["attempt"] for row in rows] == [1] * 12


@pytest.mark.exhaustive("tests/chaos wipes the queue")
def test_after_a_wiped_queue_the_workers_are_known_again(frail: Stack) -> None:
    frail.redis().flushall()
    frail.until(lambda: frail.status()["concurrency"]["max"] == 2, 60)


def test_a_cancelled_grab_is_gone_at_once_and_the_next_is_good(frail: Stack, staff: httpx.Client) -> None:
    answer = frail.later(f"/grab/webp/256/256/anim~cancelled?{LONG}")
    row = in_mid_grab(frail, "anim~cancelled")
    started = time.monotonic()
    response = staff.post(f"/live/job/{row['public_id']}/cancel")
    assert response.status_code == 200, response.text
    assert response.json()["job"]["state"] == "cancelling"
    frail.until(lambda: frail.grab(row["public_id"])["state"] == "cancelled", 10, every_s=0.02)
    took = time.monotonic() - started
    print(f"cancelled within {took:.2f} s")
    assert took < 2
    waiting = answer.result(10)
    assert (waiting.status_code, waiting.json()["code"]) == (500, "cancelled")
    assert frail.attempts(row["public_id"])[0]["outcome"] == "cancelled"
    assert staff.post(f"/live/job/{row['public_id']}/cancel").status_code == 409
    after = frail.get("/grab/webp/64/64/anim~next2?duration=1000&fps=5")
    assert getattr(picture(after), "n_frames", 1) == 5
    frail.until(lambda: settled(frail), 30)


def test_a_waiting_grab_is_cancelled_without_ever_starting(frail: Stack, site: HeldSite, staff: httpx.Client) -> None:
    with site.holding("anim~never-run"):
        answers = [frail.later(f"/grab/png/64/64/anim~never-run{n}") for n in range(3)]
        frail.until(lambda: frail.status()["concurrency"] == {"active": 2, "max": 2, "queueDepth": 1})
        waiting = frail.rows("select * from captures_grab where piece like 'anim~never-run%' and state = 'queued'")
        public_id = waiting[0]["public_id"]
        assert staff.post(f"/live/job/{public_id}/cancel").json()["job"]["state"] == "cancelled"
    statuses = sorted(answer.result(30).status_code for answer in answers)
    assert statuses == [200, 200, 500]
    assert frail.attempts(public_id) == []


def test_only_staff_with_a_csrf_token_may_cancel(frail: Stack, staff: httpx.Client) -> None:
    path = "/live/job/anim-00000000/cancel"
    assert frail.http.post(path).status_code == 403
    assert httpx.post(f"{frail.base}{path}", cookies=staff.cookies).status_code == 403
    assert staff.post(path).status_code == 404


def test_a_failure_that_may_pass_is_tried_three_times_and_another_once(frail: Stack, site: HeldSite) -> None:
    dropped = frail.get("/grab/png/64/64/bad-drop").json()
    assert dropped["code"] == "unreachable"
    attempts = frail.attempts(dropped["grabId"])
    assert [(attempt["number"], attempt["error_code"]) for attempt in attempts] == [
        (number, "unreachable") for number in (1, 2, 3)
    ]
    missing = frail.get("/grab/png/64/64/bad-404").json()
    assert missing["code"] == "http_status"
    assert len(frail.attempts(missing["grabId"])) == 1


def test_a_site_that_comes_back_in_time_is_captured_at_the_next_attempt(frail: Stack, site: HeldSite) -> None:
    with site.dropping("anim~flaky", times=1):
        response = frail.get("/grab/png/64/64/anim~flaky")
    assert picture(response).size == (64, 64)
    outcomes = [attempt["outcome"] for attempt in frail.attempts(response.headers["x-grab-id"])]
    assert outcomes == ["failed", "complete"]


@pytest.mark.exhaustive("tests/chaos cuts the power")
def test_nothing_is_lost_when_everything_is_killed(frail: Stack, site: HeldSite) -> None:
    with site.holding("anim~power-cut"):
        answers = [frail.later(f"/grab/png/64/64/anim~power-cut{n}") for n in range(12)]
        frail.until(lambda: frail.status()["concurrency"] == {"active": 2, "max": 2, "queueDepth": 10})
        frail.kill_tree()
        assert all(answer.exception(30) for answer in answers)
    frail.until(lambda: not frail.everything(), 30)
    frail.start()
    started = time.monotonic()
    rows = "select * from captures_grab where piece like 'anim~power-cut%'"
    frail.until(lambda: all(row["state"] == "complete" for row in frail.rows(rows)), 90)
    print(f"killed tree: all 12 complete {time.monotonic() - started:.1f} s after the start")
    assert sorted(row["attempt"] for row in frail.rows(rows)) == [1] * 10 + [2] * 2
    lost = frail.rows("select * from jobs_attempt where job_id like 'anim~power-cut%' and outcome = 'failed'")
    assert [row["error_code"] for row in lost] == ["worker_lost"] * 2


# --- sockets: they outlive the queue, and take nothing from readers ---------------------------------------------------


def all_known(frail: Stack) -> None:
    frail.until(lambda: frail.status()["concurrency"]["max"] == frail.workers, 60)


@contextlib.contextmanager
def watching(frail: Stack, staff: httpx.Client) -> Iterator[ClientConnection]:
    cookie = "; ".join(f"{name}={value}" for name, value in staff.cookies.items())
    url = frail.base.replace("http", "ws", 1) + "/ws/live"
    with connect(url, additional_headers={"Cookie": cookie}) as socket:
        assert json.loads(socket.recv(5))["type"] == "hello"
        yield socket


def read_until(socket: ClientConnection, wanted: Any, limit_s: float) -> dict[str, Any]:
    ends = time.monotonic() + limit_s
    while (left := ends - time.monotonic()) > 0:
        message: dict[str, Any] = json.loads(socket.recv(left))
        if wanted(message):
            return message
    raise TimeoutError


def start(staff: httpx.Client, piece: str) -> None:
    answer = staff.post("/live/start/grab", data={"piece": piece, "width": "64", "height": "64"})
    assert answer.status_code == 200, answer.text


def has_job(piece: str) -> Any:
    """A message that tells of a job whose id begins with its piece."""
    return lambda message: any(
        event.get("job", {}).get("id", "").startswith(f"{piece}-") for event in message.get("events", [])
    )


@pytest.mark.exhaustive("tests/browser/test_live_page.py drops the socket; tests/chaos kills the queue")
def test_a_page_is_told_to_start_anew_after_the_queue_was_killed(frail: Stack, staff: httpx.Client) -> None:
    with watching(frail, staff) as socket:
        start(staff, "before")
        read_until(socket, has_job("before"), 5)
        os.kill(frail.children("valkey")[0].pid, signal.SIGKILL)
        read_until(socket, lambda message: message["type"] == "hello", 8)  # what was missed is fetched
        start(staff, "after")
        read_until(socket, has_job("after"), 5)
    all_known(frail)


def test_a_page_may_come_while_the_queue_is_away(frail: Stack, staff: httpx.Client) -> None:
    os.kill(frail.children("valkey")[0].pid, signal.SIGKILL)
    with watching(frail, staff) as socket:
        frail.until(lambda: frail.children("valkey"))
        start(staff, "early")
        read_until(socket, lambda message: message["type"] == "hello" or has_job("early")(message), 8)
    all_known(frail)


def test_long_frames_close_the_socket(frail: Stack, staff: httpx.Client) -> None:
    with watching(frail, staff) as socket:
        socket.send("short")  # ignored
        socket.send("x" * 100_000)
        with pytest.raises(ConnectionClosed) as caught:
            read_until(socket, lambda message: False, 5)
        assert caught.value.rcvd and caught.value.rcvd.code == 1009


# --- the end ----------------------------------------------------------------------------------------------------------


def test_a_stop_ends_every_process_and_hands_running_work_back(frail: Stack) -> None:
    answer = frail.later(f"/grab/webp/256/256/anim~stopped?{LONG}")
    row = in_mid_grab(frail, "anim~stopped")
    everything = frail.everything()
    assert len(everything) > 8 and frail.process is not None
    pid = frail.process.pid
    started = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    assert frail.process.wait(40) == 0
    print(f"stopped within {time.monotonic() - started:.1f} s")
    frail.process = None
    assert frail.everything() == []
    assert [process for process in everything if process.is_running()] == []
    assert "does not stop" not in frail.log
    after = frail.grab(row["public_id"])
    assert (after["state"], after["attempt"], after["max_attempts"]) == ("queued", 1, 4)
    assert frail.attempts(row["public_id"])[0]["error_code"] == "released"
    assert answer.exception(30) or answer.result().status_code >= 500
