"""Every worker process says in Redis that it is there, what it does and what it takes; gone when it stops saying so.

A worker's report is a hash that expires (`oven:worker:<identity>`), its name is in a set. A thread of its own renews
it every few seconds; memory is measured only when there was work since, which is what changes it. The forks of a
worker write on its report.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import psutil
from redis.exceptions import RedisError

from oven import redis
from oven.ops.metrics import counters, machine
from oven.types import JobInfo

log = logging.getLogger(__name__)
NAMES_KEY = "oven:workers"
RENEW_S = 2.5
KEPT_S = 10
MEASURE_S = 5.0  # while there is work
MEASURE_IDLE_S = 60.0


class Browser(Protocol):
    """A worker's browser: its process, for how long it has been running, how many were replaced before it.

    `broken`: it could not be started the last time.
    """

    @property
    def pid(self) -> int | None: ...
    @property
    def age_s(self) -> float | None: ...
    @property
    def restarts(self) -> int: ...
    @property
    def sandboxed(self) -> bool: ...
    @property
    def broken(self) -> bool: ...


def key(identity: str) -> str:
    return f"oven:worker:{identity}"


class Presence:
    """One worker process's report. `forks`: jobs run in forks, which say themselves what they do."""

    def __init__(self, identity: str, queues: list[str], forks: bool = False) -> None:
        self.identity, self.queues, self.forks = identity, queues, forks
        self.jobs = 0
        self.busy = False  # a fork is under way
        self.lock = threading.Lock()
        self._running: dict[tuple[str, str], list[Any]] = {}
        self._sizes: dict[str, Any] = {}
        self._measured_at, self._measured_jobs = float("-inf"), 0
        self._restarts = 0
        self._stop = threading.Event()

    # --- what it does ---

    def begin(self, job: JobInfo) -> None:
        entry = [job.kind, job.public_id, str(getattr(job, "title", job)), round(time.time() * 1000)]
        with self.lock:
            self._running[job.kind, job.public_id] = entry
        self._report(self._doing())

    def end(self, job: JobInfo) -> None:
        with self.lock:
            self._running.pop((job.kind, job.public_id), None)
            self.jobs += 1
        self._report(self._doing(), more_jobs=1)

    @contextlib.contextmanager
    def forking(self) -> Iterator[None]:
        """Around a fork: however it ends, nothing runs here afterwards."""
        self.busy = True
        try:
            yield
        finally:
            self.busy = False
            self._report(self._doing())

    def _doing(self) -> dict[str, Any]:
        with self.lock:
            return {"running": json.dumps(list(self._running.values()))}

    # --- the report ---

    def renew(self) -> None:
        """The whole report: what a wiped Redis has lost is there again."""
        browser = browser_facts()
        self._count_restarts(browser)
        self._measure(browser)
        age = browser.age_s if browser and browser.age_s is not None else None
        facts = {"queues": json.dumps(self.queues), "host": platform.node(), **self._sizes}
        if browser:
            facts["sandbox"] = "on" if browser.sandboxed else "off"
            facts["browser"] = "broken" if browser.broken else "ok"
        facts |= {"browserAgeS": "" if age is None else round(age), "restarts": self._restarts}
        self._report(facts if self.forks else {**facts, **self._doing()})

    def _report(self, fields: Mapping[Any, Any], more_jobs: int = 0) -> None:
        try:
            pipe = redis.client().pipeline(transaction=False)
            pipe.hset(key(self.identity), mapping=fields)
            pipe.hincrby(key(self.identity), "jobs", more_jobs)
            pipe.expire(key(self.identity), KEPT_S)
            pipe.sadd(NAMES_KEY, self.identity)
            known = int(pipe.execute()[1])
            if known < self.jobs:  # Redis was wiped
                redis.client().hset(key(self.identity), "jobs", str(self.jobs))
            self.jobs = max(self.jobs, known)  # forks have counted there
        except RedisError as error:
            log.debug("not reported: %s", error)

    def _count_restarts(self, browser: Browser | None) -> None:
        if browser and browser.restarts > self._restarts:
            counters.count("oven_browser_restarts", by=browser.restarts - self._restarts)
            self._restarts = browser.restarts

    def _measure(self, browser: Browser | None) -> None:
        """Memory, when it is time: to look through processes is what costs most here."""
        worked = self.busy or bool(self._running) or self.jobs != self._measured_jobs
        now = time.monotonic()
        if now - self._measured_at < (MEASURE_S if worked else MEASURE_IDLE_S):
            return
        self._measured_at, self._measured_jobs = now, self.jobs
        own, of_browser = machine.worker_memory(browser.pid if browser else None)
        self._sizes = {"memoryMB": own, "browserMB": "" if of_browser is None else of_browser}

    # --- the thread ---

    def start(self) -> None:
        threading.Thread(target=self._renew_for_ever, name="presence", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()
        with contextlib.suppress(RedisError):
            redis.client().delete(key(self.identity))
            redis.client().srem(NAMES_KEY, self.identity)

    def _renew_for_ever(self) -> None:
        while not self._stop.is_set():
            try:
                self.renew()
            except (psutil.Error, OSError) as error:
                log.debug("not measured: %s", error)
            self._stop.wait(RENEW_S)


# --- of this process ------------------------------------------------------------------------------------------------

_me: Presence | None = None
_browser: Callable[[], Browser | None] | None = None


def provide_browser(facts: Callable[[], Browser | None]) -> None:
    """This process has a browser: `facts` is asked every few seconds, from another thread."""
    global _browser
    _browser = facts


def browser_facts() -> Browser | None:
    return _browser() if _browser else None


@contextlib.contextmanager
def shown(identity: str, queues: list[str], forks: bool = False) -> Iterator[Presence]:
    """Reports this process as a worker of these queues."""
    global _me
    _me = Presence(identity, queues, forks)
    _me.start()
    try:
        yield _me
    finally:
        _me.stop()
        _me = None


@contextlib.contextmanager
def doing(job: JobInfo) -> Iterator[None]:
    """Around one attempt, in whatever process or thread runs it."""
    me = _me
    if me is None:  # a command, a test
        yield
        return
    me.begin(job)
    try:
        yield
    finally:
        me.end(job)


def _after_fork() -> None:
    if _me is not None:
        _me.lock = threading.Lock()  # the parent's thread may have held it


os.register_at_fork(after_in_child=_after_fork)
