"""One client that asks for more than the machine can do, while others ask for little."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack

LIMITS = {  # the defaults, which the tests of everything else switch off
    "OVEN_THROTTLE_CAPTURES": "600/10m burst 60",
    "OVEN_THROTTLE_COST": "6000/10m burst 1200",
    "OVEN_CLIENT_JOBS": "20",
    "OVEN_QUEUE_RESERVED": "100",
    "OVEN_FAILURE_CACHE_S": "60",
    "OVEN_FAILURE_CACHE_MAX_S": "600",
    "OVEN_STEP_LIMIT_S": "2",
}
SENT_AT_ONCE = 10
LEAVES_AFTER_S = 0.6
MOST_S = 10.0  # on an idle machine; a busy one gets three times that


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("fair") / "data", workers=2, kinds=("capture",), **LIMITS) as running:
        yield running


def client(stack: Stack, address: str, timeout_s: float, **headers: str) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(base_url=stack.base, transport=transport, timeout=timeout_s, headers=headers)


async def attack(stack: Stack, count: int, stays: bool, answers: Counter[Any]) -> None:
    """Ask for many different expensive captures; leave, or wait for them."""
    turn = asyncio.Semaphore(count if stays else SENT_AT_ONCE)
    limits = "duration=30000&fps=20" if not stays else "duration=30000&fps=10"

    async def one(http: httpx.AsyncClient, number: int) -> None:
        async with turn:
            try:
                answer = await http.get(f"/grab/webp/1000/1000/orbit?{limits}&cacheKey=n{number}")
                answers[answer.status_code] += 1
            except httpx.TimeoutException:
                answers["left"] += 1

    async with client(stack, "127.0.0.2", 30 if stays else LEAVES_AFTER_S) as http:
        await asyncio.gather(*(one(http, number) for number in range(count)))


async def others(stack: Stack, piece: str, over: Callable[[], bool]) -> dict[str, list[float]]:
    """Ask for something small again and again, each in its way; return how long each took."""
    took: dict[str, list[float]] = {"icon": [], "token": [], "keep": []}

    async def ask(name: str, http: httpx.AsyncClient) -> None:
        number = 0
        while not over():
            number, started = number + 1, time.monotonic()
            side = 40 + number
            if name == "icon":
                answer = await http.get(f"/icon/{side}x{side}/{piece}.png")
            else:
                body = {"piece": piece, "format": "png", "width": side, "height": side, "cacheKey": name}
                answer = await http.post("/grab", json=body | ({"source": "keep"} if name == "keep" else {}))
            assert answer.status_code == 200, answer.text
            took[name].append(time.monotonic() - started)

    async with client(stack, "127.0.0.1", 60) as open_, client(stack, "127.0.0.1", 60, **stack.bearer) as known:
        await asyncio.gather(ask("icon", open_), ask("token", known), ask("keep", known))
    return took


STAYS = pytest.param(True, marks=pytest.mark.exhaustive("the gate has the one who leaves"), id="stays")


@pytest.mark.parametrize("stays", [pytest.param(False, id="leaves"), STAYS])
def test_one_client_cannot_take_what_others_need(stack: Stack, stays: bool, full_size: bool) -> None:
    count, answers = (700 if full_size else 12), Counter()

    async def run() -> dict[str, list[float]]:
        attacking = asyncio.create_task(attack(stack, count, stays, answers))
        await asyncio.sleep(0.5)
        until = time.monotonic() + 6
        took = await others(
            stack, "prism" if stays else "tiles", lambda: attacking.done() or (stays and time.monotonic() > until)
        )
        waiting = stack.rows("select count(*) as n from captures_grab where state in ('queued', 'running')")[0]["n"]
        attacking.cancel()
        await asyncio.gather(attacking, return_exceptions=True)
        assert waiting <= 20 + 3
        return took

    with ThreadPoolExecutor(1) as thread:  # browser tests before this one leave a loop in the main thread
        took = thread.submit(lambda: asyncio.run(run())).result()
    longest = {name: round(max(seconds), 1) for name, seconds in took.items()}
    print(f"{count} captures asked for: {dict(answers)}; longest waits of others, in seconds: {longest}")
    assert max(longest.values()) < (MOST_S if full_size else 3 * MOST_S)
    assert answers[429] > 0 or not stays
    clearing = time.monotonic()
    assert stack.http.post("/grab-clear", headers=stack.bearer).status_code == 200
    assert time.monotonic() - clearing < 3


def test_a_piece_that_hangs_is_run_twice_at_most_for_fifty_strangers(stack: Stack) -> None:
    stack.until(
        lambda: not stack.rows("select 1 from captures_grab where state in ('queued', 'running', 'cancelling')")
    )
    answers = Counter()
    for _ in range(50):
        answer = stack.get("/grab/webp/64/64/loop?duration=1000&fps=5")
        answers[answer.status_code, answer.json()["code"]] += 1
    runs = stack.rows("select count(*) as n from jobs_attempt where job_id like 'loop-%'")[0]["n"]
    assert (answers, runs) == ({(500, "hung"): 50}, 1)
    assert int(stack.get("/grab/webp/64/64/loop?duration=1000&fps=5").headers["retry-after"]) > 30


@pytest.mark.parametrize("piece", ["never", "loop", "orbit"])
def test_a_piece_that_staff_froze_runs_nothing(stack: Stack, piece: str) -> None:
    with stack.staff() as staff:
        assert staff.post("/live/freeze", data={"piece": piece, "reason": "for a test"}).status_code == 200
    before = stack.rows("select count(*) as n from captures_grab")[0]["n"]
    took = []
    for format_ in ("webp", "gif", "png", "mp4"):
        started = time.monotonic()
        answer = stack.get(f"/grab/{format_}/300/200/{piece}")
        took.append(time.monotonic() - started)
        assert (answer.status_code, answer.headers["x-oven-status"]) == (200, "frozen")
    print(f"{piece}: {[round(seconds * 1000) for seconds in took]} ms")
    assert stack.rows("select count(*) as n from captures_grab")[0]["n"] == before
    assert stack.http.delete(f"/api/frozen/{piece}", headers=stack.bearer).status_code == 200
    if piece == "orbit":
        assert stack.get("/grab/png/64/64/orbit").headers["x-cache"] == "MISS"
