"""What workers run: `perform` for every message, and the kinds of workers."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import psutil
from django.db import close_old_connections, connections
from rq import get_current_job, worker_registration
from rq.serializers import JSONSerializer
from rq.worker import SimpleWorker, Worker

from oven import logs
from oven.events import stream
from oven.jobs import context as running
from oven.jobs import lifecycle, registry, worker_heartbeat
from oven.jobs.context import Cancelled, JobContext, Released, Superseded
from oven.jobs.models import Job
from oven.ops.metrics import counters

log = logging.getLogger(__name__)


def identity() -> str:
    """Host, process id and the process's start: enough to tell a dead worker from a new one with its number."""
    return f"{socket.gethostname()}:{os.getpid()}:{int(psutil.Process().create_time())}"


def is_dead(worker: str) -> bool:
    """True only when the worker ran on this very machine and its process is gone."""
    try:
        host, pid, started = worker.rsplit(":", 2)
        if host != socket.gethostname():
            return False
        return int(psutil.Process(int(pid)).create_time()) != int(started)
    except psutil.NoSuchProcess:
        return True
    except (ValueError, psutil.Error):
        return False


def perform(kind: str, pk: int) -> None:
    """Runs the row's next attempt, if it is due and nobody else's. The row says how it ended, not RQ."""
    close_old_connections()
    if most := registry.get(kind).max_concurrent:
        _perform_in_thread(kind, pk, most)
    elif job := lifecycle.claim(kind, pk, identity()):
        _perform(job, _asked_by())


def perform_here(kind: str, pk: int) -> None:
    """The same in this very thread, also before the row is due: for work that only this process can do."""
    if job := lifecycle.claim(kind, pk, identity(), early=True):
        _perform(job, "")


def _perform(job: Job, asked_by: str) -> None:
    """`asked_by`: the id of the request that asked for it, for the log."""
    with logs.of_job(job, asked_by), worker_heartbeat.doing(job):
        context = JobContext(job)
        if asked_by:
            context.note(f"Asked for by request {asked_by}")
        try:
            _run(context)
        except lifecycle.StateMismatch:
            _confirm_late_cancel(context)
        context.save_log()
    counters.flush()  # a fork exits without running atexit


def _asked_by() -> str:
    """From the message that is being handled."""
    message = get_current_job()
    return str((message.meta or {}).get("request_id", "")) if message else ""


def _perform_in_thread(kind: str, pk: int, most: int) -> None:
    """In a thread of this process, which takes the next message meanwhile; waits while `most` are under way."""
    threads, free = _threads(kind, most)
    free.acquire()
    job = None
    try:
        job = lifecycle.claim(kind, pk, identity())
    finally:  # also when the database does not answer: else this place would never be free again
        if job is None:
            free.release()
    if job is None:
        return
    asked_by = _asked_by()

    def work() -> None:
        try:
            _perform(job, asked_by)
        finally:
            connections.close_all()  # this thread's
            free.release()

    threads.submit(work)


@cache
def _threads(kind: str, most: int) -> tuple[ThreadPoolExecutor, threading.Semaphore]:
    return ThreadPoolExecutor(most, thread_name_prefix=kind), threading.Semaphore(most)


def _run(context: JobContext) -> None:
    job = context.job
    try:
        registry.get(job.kind).run(context)
    except Cancelled:
        context.note("Cancelled")
        lifecycle.confirm_cancelled(context.job, context.spans)
    except Released:
        context.note("Handed back: the worker shuts down")
        lifecycle.release(job, "The worker was restarted")
    except Superseded:
        context.note("Another attempt has taken over")
    except lifecycle.StateMismatch:
        raise
    except Exception as error:
        log.exception("%s failed unexpectedly", job)
        context.note(f"Unexpected: {error!r}")
        lifecycle.fail(job, "internal", f"Oven itself failed ({type(error).__name__}).", retry=True)
    else:
        level: stream.LogType = "error" if context.job.error_code else "success"
        stream.log(level, f"{job}: {context.job.state}", job.public_id)


def _confirm_late_cancel(context: JobContext) -> None:
    """The attempt ended in the very moment in which its cancellation was asked for, or too late to count."""
    job = type(context.job)._default_manager.get(pk=context.job.pk)
    if job.state == "cancelling" and job.attempt == context.job.attempt:
        lifecycle.confirm_cancelled(job, context.spans)
    else:
        log.warning("%s attempt %s ended too late to count", job, context.job.attempt)


class Titled:
    """Keeps the command line it was started by: RQ would write its own state over it, which staff see elsewhere."""

    def procline(self, message: str) -> None:
        pass


class ForkWorker(Titled, Worker):
    """Forks for every job, so that whatever a job does to its process ends with it.

    A stop signal hands the running job back instead of finishing it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["serializer"] = JSONSerializer  # a writable Redis must not mean code execution
        super().__init__(*args, **kwargs)

    def work(self, *args: Any, **kwargs: Any) -> bool:
        with worker_heartbeat.shown(identity(), self.queue_names(), forks=True) as self._presence:
            return bool(super().work(*args, **kwargs))

    def execute_job(self, job: Any, queue: Any) -> None:
        with self._presence.forking():
            super().execute_job(job, queue)

    def handle_warm_shutdown_request(self) -> None:
        if self.horse_pid:
            self.kill_horse(signal.SIGUSR1)

    def setup_work_horse_signals(self) -> None:
        super().setup_work_horse_signals()
        signal.signal(signal.SIGUSR1, lambda *_: running.stopping.set())


class WarmWorker(Titled, SimpleWorker):
    """Does not fork, so that what is warm in this process (a browser) serves one job after the other.

    A stop signal hands the running job back instead of finishing it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("worker_ttl", 25)  # says every 10 s that it is there
        super().__init__(*args, **kwargs)

    def work(self, *args: Any, **kwargs: Any) -> bool:
        with worker_heartbeat.shown(identity(), self.queue_names()):
            return bool(super().work(*args, **kwargs))

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        super().heartbeat(timeout, pipeline)
        if pipeline is None and not self.connection.sismember(self.redis_workers_keys, self.key):
            self.connection.hset(self.key, mapping=self.serialize())  # Redis was wiped: make ourselves known again
            worker_registration.register(self)

    def request_stop(self, signum: Any, frame: Any) -> None:
        running.stopping.set()
        super().request_stop(signum, frame)

    def execute_job(self, job: Any, queue: Any) -> None:
        close_old_connections()  # the database may have been restarted since the last message
        super().execute_job(job, queue)
        if running.stopping.is_set():
            self._stop_requested = True
