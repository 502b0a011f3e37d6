"""How soon 200 open live pages show a change, what that costs, and how soon they are right after a loss.

python -m bench.watchers           three rounds in turns with the plain way, then kills and misses
python -m bench.watchers --quick   one round of five seconds
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench import facts
from bench.watchers_clients import ACTIVE, Reader, Swarm, until
from tests.e2e.stack import Stack, free_port

OVEN, PLAIN = "Oven", "a timer and a serialisation each"
MISS_S = 0.5


def main() -> None:
    options = parse()
    start = {"machine": facts.machine(), "versions": facts.versions(), "settings": vars(options)}
    with tempfile.TemporaryDirectory(prefix="bench-watchers-") as directory:
        stack = Stack(Path(directory) / "data", workers=options.workers)
        with stack:
            results = asyncio.run(everything(stack, options))
    path = facts.write("watchers", options.label, {**start, **results})
    print(report(results))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.watchers", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--readers", type=int, default=200, help="open pages (default 200)")
    add("--jobs", type=int, default=5, help="that run at a time (default 5)")
    add("--workers", type=int, default=0, help="run real grabs on so many workers instead (default 0)")
    add("--rounds", type=int, default=3, help="of both ways in turns (default 3)")
    add("--seconds", type=float, default=10, help="of a turn (default 10)")
    add("--misses", type=int, default=20, help="times that a page misses something (default 20)")
    add("--label", default="", help="names the machine in the result's file")
    add("--quick", action="store_true", help="a look, not a result")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.misses = 1, 5, 5
    return options


async def everything(stack: Stack, options: argparse.Namespace) -> dict[str, Any]:
    cookie = "; ".join(f"{name}={value}" for name, value in stack.staff().cookies.items())
    turns = []
    with plain(stack) as (plain_base, plain_process), jobs(stack, options):
        for number in range(1, options.rounds + 1):
            web = psutil.Process(stack.children("uvicorn")[0].pid)
            turns.append(await turn(OVEN, number, stack.base, web, cookie, options))
            turns.append(await turn(PLAIN, number, plain_base, plain_process, cookie, options))
        async with Swarm(stack.base, cookie, 3) as swarm:
            misses = [await missed(swarm.readers[0], swarm.readers[1]) for _ in range(options.misses)]
    restarts = [await restarted(stack, cookie, options) for _ in range(options.rounds)]
    return {"summary": summarise(turns), "turns": turns, "restarts": restarts, "misses_s": misses}


# --- what runs besides ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def plain(stack: Stack) -> Iterator[tuple[str, psutil.Process]]:
    """The peer on a port of its own, with the server settings of Oven's web process."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.watchers_peer:application", "--port", str(port)]
    command += ["--lifespan", "off", "--log-level", "warning", "--no-access-log", "--ws-per-message-deflate", "false"]
    process = subprocess.Popen(command, cwd=facts.ROOT, env=environment(stack))
    base = f"http://127.0.0.1:{port}"
    try:
        Stack.until(lambda: _answers(base), 60)
        yield base, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def _answers(base: str) -> bool:
    try:
        return httpx.get(base + "/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def environment(stack: Stack) -> dict[str, str]:
    return {**stack.env, "REDIS_URL": stack.redis_url, "DJANGO_SETTINGS_MODULE": "oven_site.settings"}


@contextlib.contextmanager
def jobs(stack: Stack, options: argparse.Namespace) -> Iterator[None]:
    """Jobs that follow one another without end."""
    if options.workers:
        with grabs(stack, options.jobs):
            yield
        return
    command = [sys.executable, "-m", "bench.watchers_jobs", str(options.jobs)]
    env = environment(stack)
    process = subprocess.Popen(command, cwd=facts.ROOT, env=env, stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.communicate(b"")


@contextlib.contextmanager
def grabs(stack: Stack, count: int) -> Iterator[None]:
    """Real ones of a demo piece, so many asked for at a time."""
    over = threading.Event()

    def ask(number: int) -> None:
        serial = 0
        while not over.is_set():
            serial += 1
            stack.get(f"/grab/webp/256/256/orbit?duration=3000&fps=20&cacheKey=w{number}-{serial}")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


# --- one: from commit to screen -------------------------------------------------------------------------------------


async def turn(
    way: str, number: int, base: str, web: psutil.Process, cookie: str, options: argparse.Namespace
) -> dict[str, Any]:
    async with Swarm(base, cookie, options.readers) as swarm:
        await asyncio.sleep(1.5)
        swarm.forget()
        cpu, own, began = _cpu(web), time.process_time(), time.monotonic()
        await asyncio.sleep(options.seconds)
        span = time.monotonic() - began
        spent, own = _cpu(web) - cpu, time.process_time() - own
        waits = [wait for reader in swarm.readers for wait in reader.waits_ms]
        rates = [len(reader.messages) / span for reader in swarm.readers]
        fetches = swarm.site.fetches
    found = {
        "way": way,
        "round": number,
        "changes": len(waits),
        "load_average": facts.load(),
        "bench_cpu": own / span,
        **{f"p{percent}_ms": facts.percentile(waits, percent) for percent in (50, 95, 99)},
        "most_ms": max(waits),
        "messages_s": statistics.mean(rates),
        "most_messages_s": max(rates),
        "web_cpu": spent / span,
        "fetches": fetches,
    }
    facts.say(
        f"round {number}, {way}: " + ", ".join(f"{key} {found[key]:.2f}" for key in ("p50_ms", "p95_ms", "web_cpu"))
    )
    return found


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


# --- two: after a kill ----------------------------------------------------------------------------------------------


async def restarted(stack: Stack, cookie: str, options: argparse.Namespace) -> dict[str, Any]:
    """Web process and queue are killed, the database changes meanwhile: until all pages show it."""
    staff = stack.staff()
    fields = {"piece": "unseen", "width": "64", "height": "64", "skipCache": "1"}
    waiting = staff.post("/live/start/grab", data=fields).raise_for_status().json()["job"]["id"]
    async with Swarm(stack.base, cookie, options.readers) as swarm:
        before = truth(stack)
        await until(lambda: swarm.equal(before) == options.readers, 20)
        victims = [*stack.children("uvicorn"), *stack.children("valkey")]
        for victim in victims:
            os.kill(victim.pid, 9)
        killed = time.monotonic()
        await asyncio.to_thread(_change, stack, waiting)
        wanted = truth(stack)
        assert wanted != before
        await asyncio.to_thread(Stack.until, lambda: _answers(stack.base), 60, 0.1)
        back = time.monotonic() - killed
        await until(lambda: swarm.equal(wanted) == options.readers, 60)
        whole = time.monotonic() - killed
    facts.say(f"killed: the web process answers after {back:.2f} s, all pages are right after {whole:.2f} s")
    return {"killed": len(victims), "answers_s": back, "right_s": whole, "right_after_answer_s": whole - back}


def _change(stack: Stack, job: str) -> None:
    """A job that ends while nobody can be told."""
    with contextlib.closing(sqlite3.connect(stack.data / "oven.sqlite3", timeout=10)) as database, database:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        change = "update captures_grab set state = 'cancelled', ended_at = ? where public_id = ?"
        assert database.execute(change, (now, job)).rowcount == 1


def truth(stack: Stack) -> dict[str, str]:
    """What the database says: everything active, and the newest that have ended."""
    marks = ", ".join(f"'{state}'" for state in ACTIVE)
    rows = stack.rows(f"select public_id, state from captures_grab where state in ({marks})")
    rows += stack.rows(
        f"select public_id, state from captures_grab where state not in ({marks}) order by ended_at desc limit 20"
    )
    return {row["public_id"]: row["state"] for row in rows}


# --- three: after a miss --------------------------------------------------------------------------------------------


async def missed(deaf: Reader, other: Reader) -> float:
    """Seconds from the end of a deafness until the page knows all that the other one has learnt meanwhile."""
    news: set[str] = set()
    while not news - ended(deaf):
        before = ended(other)
        deaf.deaf_until = time.time() + MISS_S
        await asyncio.sleep(MISS_S)
        news = ended(other) - before
    return await until(lambda: news <= ended(deaf), 10, 0.005)


def ended(reader: Reader) -> set[str]:
    return {job for job, state in reader.states.items() if state not in ACTIVE}


# --- the table ------------------------------------------------------------------------------------------------------


def summarise(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    keys = ("p50_ms", "p95_ms", "p99_ms", "messages_s", "web_cpu")
    rows = []
    for way in (OVEN, PLAIN):
        own = [found for found in turns if found["way"] == way]
        rows.append({"way": way, **{key: statistics.median(found[key] for found in own) for key in keys}})
    for row in rows:
        row["ratio"] = rows[1]["web_cpu"] / row["web_cpu"]
    return rows


def report(results: dict[str, Any]) -> str:
    head = ["", "p50 ms", "p95 ms", "p99 ms", "messages/s", "CPU of web", "ratio"]
    rows = [
        [
            row["way"],
            *(f"{row[key]:.0f}" for key in ("p50_ms", "p95_ms", "p99_ms")),
            *(f"{row['messages_s']:.1f}", f"{100 * row['web_cpu']:.0f} %", f"{row['ratio']:.2f}"),
        ]
        for row in results["summary"]
    ]
    right = [found["right_s"] for found in results["restarts"]]
    after = [found["right_after_answer_s"] for found in results["restarts"]]
    misses = results["misses_s"]
    more = [
        f"web and queue killed: all pages right after {min(right):.1f} to {max(right):.1f} s, "
        f"{min(after):.1f} to {max(after):.1f} s after the web process answers again",
        f"something missed: right after {statistics.median(misses):.2f} s (median), {max(misses):.2f} s at most",
    ]
    return "\n\n".join([facts.table(head, rows), *more])


if __name__ == "__main__":
    main()
