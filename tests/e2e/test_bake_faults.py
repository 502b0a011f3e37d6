"""Bakes whose workers are killed: every one ends done, once, and nothing is left over.

KILL_ROUNDS=5 kills five times at every stage (once by default).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.bakes.tapes import write_tape
from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack
from tests.site_server import Handler, Site

ROUNDS = range(int(os.environ.get("KILL_ROUNDS", "1")))


class Bucket(ThreadingHTTPServer):
    """As much of S3 as a store needs, and uploads that can be held: `held` of them are never answered."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BucketHandler)
        self.objects: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.held = 0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class BucketHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_PUT(self) -> None:
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        body = self._body()
        self.server.puts.append(self.path)
        if self.server.held:
            self.server.held -= 1
            time.sleep(30)
            return
        self.server.objects[self.path] = body
        self._answer(200, b"")

    def do_GET(self) -> None:
        body = self.server.objects.get(self.path.split("?")[0])
        self._answer(404 if body is None else 200, body or b"")

    def do_HEAD(self) -> None:
        self._answer(200 if self.path in self.server.objects else 404, b"")

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Content-Encoding", "") + self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        data = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue  # trailers
        return data

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"x"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture(scope="module")
def bakery(
    site: HeldSite, callers: Site, bucket: Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    env = {"OVEN_TAPE_ORIGINS": callers.origin, "OVEN_CALLBACK_ORIGINS": callers.origin}
    env |= {"OVEN_CALLBACK_SECRET": "shared", "OVEN_CALLBACK_DELAYS_S": "0.5,0.5,0.5", "OVEN_CALLBACK_WAIT_S": "20"}
    env |= {"BLOBS_S3_BUCKET": "tapes", "BLOBS_S3_ENDPOINT": bucket.endpoint, "BLOBS_S3_REGION": "here"}
    env |= {"BLOBS_S3_KEY": "k", "BLOBS_S3_SECRET": "s", "BLOBS_S3_ADDRESSING": "path"}
    env |= {"OVEN_MAX_ATTEMPTS": "5", "OVEN_RETRY_BASE_S": "0.2"}
    with Stack(tmp_path_factory.mktemp("frail") / "data", site.origin, kinds=("bake",), **env) as stack:
        yield stack


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("tapes") / "tape.zip"
    write_tape(path, frames=200, size=(160, 160), sound_s=3.3)
    return path.read_bytes()


def row(bakery: Stack, code: str) -> dict[str, Any]:
    return bakery.rows("select * from bakes_bake where code = ?", code)[0]


def kill(worker: str) -> None:
    psutil.Process(int(worker.rsplit(":", 2)[1])).send_signal(signal.SIGKILL)


def start(bakery: Stack, callers: Site, code: str, tape: Any) -> None:
    callers.pages[f"/tapes/{code}.zip"] = tape
    assert bakery.http.post("/bake", json=callers.wish(code, f"/tapes/{code}.zip")).status_code == 200


def check_done_once(bakery: Stack, callers: Site, bucket: Bucket, code: str, attempts: int) -> None:
    bakery.until(lambda: row(bakery, code)["site"] == "done", 60)
    found = row(bakery, code)
    assert (found["state"], found["attempt"]) == ("complete", attempts)
    artifacts = bakery.rows("select key from artifacts_artifact where key like ?", f"tapes/{code}%")
    assert sorted(a["key"] for a in artifacts) == [f"tapes/{code}-thumb.jpg", f"tapes/{code}.mp4"]
    stored = [key for key in bucket.objects if f"/{code}" in key]
    assert sorted(stored) == [f"/tapes/tapes/{code}-thumb.jpg", f"/tapes/tapes/{code}.mp4"]
    assert b"ftyp" in bucket.objects[f"/tapes/tapes/{code}.mp4"][:16]
    assert {message.json.get("mp4Url", "").rsplit("/", 1)[1] for message in callers.of(code)} == {f"{code}.mp4"}
    assert len({message.headers["webhook-id"] for message in callers.of(code)}) == 1
    bakery.until(lambda: not list((bakery.data / "scratch").glob("*")), 10)


@pytest.mark.exhaustive("tests/chaos kills workers of bakes at any moment")
@pytest.mark.parametrize("round_", ROUNDS)
def test_killed_while_it_fetches(bakery: Stack, callers: Site, bucket: Bucket, tape: bytes, round_: int) -> None:
    asked = []

    def slow_once(handler: Handler) -> None:
        asked.append(handler.path)
        if len(asked) > 1:
            handler.answer(200, tape)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(tape)))
        handler.end_headers()
        handler.wfile.write(tape[:1000])
        time.sleep(10)

    code = f"fetch{round_}"
    start(bakery, callers, code, slow_once)
    bakery.until(lambda: asked, 20, 0.05)
    time.sleep(0.3)
    kill(row(bakery, code)["worker"])
    check_done_once(bakery, callers, bucket, code, attempts=2)


@pytest.mark.exhaustive("tests/chaos kills workers of bakes at any moment")
@pytest.mark.parametrize("round_", ROUNDS)
def test_killed_while_it_encodes(bakery: Stack, callers: Site, bucket: Bucket, tape: bytes, round_: int) -> None:
    code = f"encode{round_}"
    start(bakery, callers, code, tape)
    bakery.until(lambda: _frames(bakery, code) > 20, 30, 0.02)
    kill(row(bakery, code)["worker"])
    check_done_once(bakery, callers, bucket, code, attempts=2)


def _frames(bakery: Stack, code: str) -> int:
    name = row(bakery, code)["public_id"]
    found: Any = bakery.redis().hget(f"oven:progress:bake:{name}", "frames")
    return int(found.decode().strip("[]").split(",")[0]) if found else 0


@pytest.mark.exhaustive("tests/chaos kills workers of bakes at any moment")
@pytest.mark.parametrize("round_", ROUNDS)
@pytest.mark.parametrize("file", ["mp4", "thumb"])
def test_killed_while_it_stores(
    bakery: Stack, callers: Site, bucket: Bucket, tape: bytes, round_: int, file: str
) -> None:
    code = f"store{file}{round_}"
    if file == "mp4":
        bucket.held = 1
    start(bakery, callers, code, tape)
    bakery.until(lambda: any(f"/{code}.mp4" in put for put in bucket.puts), 60, 0.002)
    if file == "thumb":
        bucket.held = 1
        bakery.until(lambda: any(f"/{code}-thumb" in put for put in bucket.puts), 10, 0.002)
    kill(row(bakery, code)["worker"])
    bakery.until(lambda: row(bakery, code)["attempt"] > 1, 20)
    bucket.held = 0
    check_done_once(bakery, callers, bucket, code, attempts=2)


@pytest.mark.exhaustive("tests/chaos kills workers of bakes at any moment")
@pytest.mark.parametrize("round_", ROUNDS)
def test_killed_while_it_tells_the_site(
    bakery: Stack, callers: Site, bucket: Bucket, tape: bytes, round_: int
) -> None:
    code = f"tell{round_}"
    callers.answers = [lambda handler: time.sleep(15)]
    start(bakery, callers, code, tape)
    bakery.until(lambda: callers.of(code), 60, 0.05)
    [delivery] = bakery.rows("select worker from bakes_delivery where bake_id = ?", row(bakery, code)["id"])
    kill(delivery["worker"])
    check_done_once(bakery, callers, bucket, code, attempts=1)
    assert len(callers.of(code)) == 2


@pytest.mark.exhaustive("tests/chaos kills workers; tests/supervisor replaces them")
def test_a_worker_of_bakes_that_is_killed_is_replaced(
    bakery: Stack, callers: Site, bucket: Bucket, tape: bytes
) -> None:
    """The process that forks, with the bake in its fork."""
    start(bakery, callers, "parent", tape)
    bakery.until(lambda: _frames(bakery, "parent") > 20, 30, 0.02)
    horse = psutil.Process(int(row(bakery, "parent")["worker"].rsplit(":", 2)[1]))
    parent = horse.parent()
    assert parent is not None
    assert "bake_worker" in " ".join(parent.cmdline())
    parent.send_signal(signal.SIGKILL)
    bakery.until(lambda: row(bakery, "parent")["site"] == "done", 60)
    bakery.until(lambda: len(bakery.children("bake_worker")) == 2, 20)
    bakery.until(lambda: not list((bakery.data / "scratch").glob("*")), 10)


@pytest.mark.exhaustive("test_faults.py has a stop, and tests/oven/jobs what it hands back")
def test_a_stop_hands_the_bake_back_and_it_costs_no_attempt(
    bakery: Stack, callers: Site, bucket: Bucket, tmp_path: Path
) -> None:
    write_tape(tmp_path / "long.zip", frames=400, size=(160, 160))
    start(bakery, callers, "handed", (tmp_path / "long.zip").read_bytes())
    bakery.until(lambda: _frames(bakery, "handed") > 20, 30, 0.02)
    started = time.monotonic()
    bakery.stop()
    assert time.monotonic() - started < 8
    found = row(bakery, "handed")
    assert (found["state"], found["attempt"], found["max_attempts"]) == ("queued", 1, 6)
    bakery.start()
    bakery.until(lambda: row(bakery, "handed")["site"] == "done", 90)
