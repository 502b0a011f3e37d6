"""A whole Oven for tests: the supervisor with everything it starts, on free ports, in a scratch directory."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
import redis
from PIL import Image

from tests.e2e.prepared import DATABASE, fill
from tests.harness.covered import note

ROOT = Path(__file__).resolve().parents[2]
THROTTLES = ("CAPTURES", "COST", "BUNDLES", "WRITES", "TOKEN_CAPTURES", "TOKEN_BUNDLES", "TOKEN_WRITES", "SIGN_INS")
SECRET_SETTING = re.compile(r"^(OVEN|ART|BLOBS|SECRET)_.*(SECRET|KEYS?|JWT|TOKEN)$")
HANDED_OUT = re.compile(r"oven_[\w-]{40}|(?<=sesame=)[\w-]+|(?<=sig=)[\w-]+")
KINDS = ("capture", "bake", "bundle")
JOBS = ("captures_grab", "bakes_bake", "bundles_bundle", "bundles_corebuild", "jobs_attempt")
# Timers that production keeps slower to spare the machine. What a test waits for passes sooner with these.
FAST = {
    "OVEN_SWEEP_S": "1",
    "OVEN_HEARTBEAT_S": "1",
    "OVEN_STALE_S": "8",
    "OVEN_UNDO_S": "5",
    "OVEN_PERIODIC_INTERVAL_S": "2",
}
UNTHROTTLED = {f"OVEN_THROTTLE_{name}": "off" for name in THROTTLES}  # all requests are from one address
UNTHROTTLED |= {
    "OVEN_CLIENT_JOBS": "1000",
    "OVEN_QUEUE_RESERVED": "0",
    "OVEN_FAILURE_CACHE_S": "0",
    "OVEN_CLIENT_SOCKETS": "10000",
}


def free_port() -> int:
    """The first of two free neighbours: Oven takes the next port for its pieces."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise RuntimeError("no two free ports side by side")


class Stack:
    """`get`/`post` talk to it; `manage` runs its commands; `stop`, `kill` and `start` do what they say.

    `kinds`: the kinds of jobs that it has workers for. `workers`: how many captures run at once.
    """

    def __init__(
        self, data: Path, piece_origin: str = "", workers: int = 2, kinds: Sequence[str] = KINDS, **env: str
    ) -> None:
        self.data, self.kinds = data, kinds
        self.workers = workers if "capture" in kinds else 0
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.roles = ["valkey", "web", "light", "scheduler", *kinds, *([] if piece_origin else ["pieces"])]
        own = {"OVEN_DATA": str(data), "OVEN_PUBLIC_URL": self.base}
        unasked = {"OVEN_CARD_EVERY_S": "0"}  # no work that no test has asked for
        self.env = {**unasked, **UNTHROTTLED, **FAST, **os.environ, **env, **own}
        self.env.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)  # of the tests that drive a browser
        for name in ("DJANGO_SETTINGS_MODULE", "REDIS_URL"):
            self.env.pop(name, None)
        if piece_origin:
            self.env["OVEN_PIECE_ORIGIN"] = piece_origin
        self.http = httpx.Client(base_url=self.base, timeout=120, follow_redirects=False)
        self.threads = ThreadPoolExecutor(40)
        self.process: subprocess.Popen[bytes] | None = None
        self.token = ""
        self.cookies: dict[str, str] = {}  # of the member of staff that `staff` acts for
        self.secrets = {value for name, value in self.env.items() if SECRET_SETTING.search(name) and len(value) > 7}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, limit_s: float = 60) -> None:
        first = not self.token and "DATABASE_URL" not in self.env
        if first and (known := fill(self.data, packed="OVEN_BUNDLE_SOURCE" not in self.env)):
            self.token, self.cookies = known.token, dict(known.cookies)
            self.secrets.add(self.cookies["sessionid"])
        command = [sys.executable, "-m", "supervisor", "--port", str(self.port)]
        command += ["--data", str(self.data), "--workers", str(self.workers), "--roles", ",".join(self.roles)]
        for name in (*(f"{kind}_worker" for kind in self.kinds), "light_worker", "scheduler"):
            note("command", name)
        log = (self.data.parent / f"{self.data.name}.log").open("ab")
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=log, stderr=log)
        try:
            self.until(lambda: self._healthy() and self.alive_workers() >= self.workers, limit_s)
            if not self.token:
                self.token = self.manage("token", f"tests {self.port}").strip().splitlines()[-1]
            self.secrets.add(self.token)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None
            self._note_error_codes()
        self.check_log()

    def _note_error_codes(self) -> None:
        if (self.data / DATABASE).exists():
            for table in JOBS:
                for row in self.rows(f"select distinct error_code from {table} where error_code <> ''"):
                    note("error code", row["error_code"])

    def check_log(self) -> None:
        """Fails when a secret that was handed out, or a session, stands in the log."""
        known = {*self.secrets, *self._kept_secrets()}
        log = self.log if known else ""
        assert [secret[:6] for secret in known if secret in log] == [], f"secrets in the log of {self.data}"

    def _kept_secrets(self) -> list[str]:
        """What the data directory holds: the signing key, and the names of sessions."""
        if not (self.data / DATABASE).exists():
            return []
        found = [row["session_key"] for row in self.rows("select session_key from django_session")]
        key = self.data / "secret_key"
        return [*found, key.read_text().strip()] if key.exists() else found

    def kill_tree(self) -> None:
        """kill -9 of everything, as a power cut would."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        for victim in [parent, *parent.children(recursive=True)]:
            try:
                victim.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait()
        self.process = None

    def children(self, part: str) -> list[psutil.Process]:
        """Live processes of this Oven whose command line holds `part`."""
        assert self.process is not None
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if part in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def manage(self, *args: str) -> str:
        env = {**self.env, "REDIS_URL": self.redis_url}
        command = [sys.executable, "manage.py", *args]
        done = subprocess.run(command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        self.secrets.update(HANDED_OUT.findall(done.stdout))
        return done.stdout

    @property
    def redis_url(self) -> str:
        from supervisor import valkey

        return valkey.url(self.data)

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.http.get(path, **kwargs)

    def post(self, path: str, body: Any = None, **kwargs: Any) -> httpx.Response:
        return self.http.post(path, json=body, headers={**self.bearer, **kwargs.pop("headers", {})}, **kwargs)

    def later(self, path: str, **kwargs: Any) -> Future[httpx.Response]:
        """The same as `get`, in a thread of its own."""
        return self.threads.submit(self.get, path, **kwargs)

    def staff(self) -> httpx.Client:
        """A signed-in browser of a member of staff: session cookie and CSRF header."""
        client = httpx.Client(base_url=self.base, timeout=60, follow_redirects=True)
        for name, value in self.cookies.items():  # as the site would set them, so that it can replace them
            client.cookies.set(name, value, domain="127.0.0.1", path="/")
        if not self.cookies:
            link = self.manage("signin").strip().splitlines()[-1]
            assert client.get(link).status_code == 200
            self.cookies = dict(client.cookies)
            self.secrets.add(self.cookies["sessionid"])
        client.headers["X-CSRFToken"] = self.cookies["csrftoken"]
        return client

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.redis_url)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/grab-status").json()
        return found

    def running(self, piece: str) -> dict[str, Any] | None:
        """The row of a piece's grab while a worker runs it."""
        found = self.rows("select * from captures_grab where piece = ? and state = 'running'", piece)
        return found[0] if found else None

    def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """Reads the database behind the service's back."""
        connection = sqlite3.connect(f"file:{self.data / DATABASE}?mode=ro", uri=True, timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(sql, args)]
        finally:
            connection.close()

    def grab(self, public_id: str) -> dict[str, Any]:
        return self.rows("select * from captures_grab where public_id = ?", public_id)[0]

    def attempts(self, public_id: str) -> list[dict[str, Any]]:
        found = self.rows("select * from jobs_attempt where job_id = ? order by number", public_id)
        return [{**row, "evidence": json.loads(row["evidence"])} for row in found]

    def file(self, key: str, store: str = "art") -> Path:
        return self.data / "files" / store / key

    def browsers(self) -> list[psutil.Process]:
        """Chromium's main processes: one each, whatever tabs they have."""
        return [process for process in self.children("--remote-debugging-pipe") if _type(process) == ""]

    def pages(self) -> list[psutil.Process]:
        """Chromium's processes that run pages."""
        return [process for process in self.children("--type=renderer") if _type(process) == "renderer"]

    def everything(self) -> list[psutil.Process]:
        """Every process of this Oven, also those that have lost their parent."""
        mark = str(self.data)
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("OVEN_DATA") == mark or mark in " ".join(process.cmdline())
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    @property
    def log(self) -> str:
        return (self.data.parent / f"{self.data.name}.log").read_text(errors="replace")

    def alive_workers(self) -> int:
        try:
            return int(self.get("/grab-status").json()["concurrency"]["max"]) if self._workers_known() else 0
        except httpx.HTTPError:
            return 0

    def _workers_known(self) -> bool:
        client = self.redis()
        try:
            return int(client.scard("rq:workers:capture.now")) >= self.workers  # type: ignore[arg-type]
        except redis.RedisError:
            return False
        finally:
            client.close()

    def _healthy(self) -> bool:
        try:
            return self.get("/health").status_code == 200
        except httpx.HTTPError:
            return False

    @staticmethod
    def until(condition: Callable[[], Any], limit_s: float = 20, every_s: float = 0.1) -> Any:
        """The condition's first true value; fails the test when the limit comes first."""
        deadline = time.monotonic() + limit_s
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(every_s)


def _type(process: psutil.Process) -> str:
    """Which of Chromium's processes this is; empty for the main one."""
    try:
        return next((part.removeprefix("--type=") for part in process.cmdline() if part.startswith("--type=")), "")
    except psutil.Error:
        return "gone"


def picture(response: httpx.Response) -> Image.Image:
    """The picture of a good answer."""
    assert response.status_code == 200, f"{response.status_code} {response.text[:300]}"
    image = Image.open(io.BytesIO(response.content))
    image.load()
    return image


def frames(response: httpx.Response) -> list[tuple[Image.Image, int]]:
    """Every frame of an animation, as RGB, with its milliseconds."""
    image = picture(response)
    found = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        image.load()
        found.append((image.convert("RGB"), int(image.info.get("duration", 0))))
    return found
