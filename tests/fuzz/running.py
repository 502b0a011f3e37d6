"""Sends cases to a running Oven, and looks for what may not be: no answer in time, a traceback, an unknown error."""

from __future__ import annotations

import asyncio
import collections
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.stack import Stack
from tests.fuzz.cases import Case, Cases

LIMIT_S = 10.0  # in which every request is answered
WAITS = {"OVEN_WAIT_S": "1", "OVEN_CARD_WAIT_S": "4", "OVEN_BUNDLE_WAIT_S": "1"}  # for what is made; then it is 504
AT_ONCE = 8
TRACEBACK = "Traceback (most recent call last)"
UNKNOWN = b"The error has been logged"
OTHERS = [
    "/",
    "/sign-in",
    "/live/state",
    "/live/done",
    "/live/frozen",
    "/live/vitals",
    "/live/alerts",
    "/live/charts",
    "/live/log",
    "/live/start/{kind}",
    "/live/job/{id}/{action}",
    "/live/freeze",
    "/live/unfreeze",
    "/live/bulk",
    "/live/bulk/{id}",
    "/live/bulk/{id}/undo",
    "/files/{store}/{path:key}",
    "/app-screenshots",
    "/gallery",
    "/gallery/refresh",
    "/docs",
    "/docs/openapi.json",
    "/admin/",
    "/admin/login/",
    "/admin/captures/grab/",
    "/admin/bakes/bake/",
    "/admin/bundles/bundle/",
    "/admin/access/signin/",
    "/admin/admin/logentry/",
    "/static/{path:key}",
    "/ws",
    "/{any}",
]


@dataclass
class Found:
    """What came of the cases."""

    statuses: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    seconds: float = 0.0

    def __str__(self) -> str:
        answers = ", ".join(f"{status} {count}" for status, count in sorted(self.statuses.items()))
        return (
            f"{sum(self.statuses.values())} cases in {self.seconds:.0f} s, slowest {self.slowest_s:.1f} s: {answers}"
        )


def cases_of(oven: Stack, seed: int) -> Cases:
    """Of every route that a running Oven documents, and of its pages."""
    routes = list(oven.get("/docs/openapi.json").json()["paths"])
    staff = oven.staff()
    session = "; ".join(f"{name}={value}" for name, value in staff.cookies.items())
    return Cases([*routes, *OTHERS], seed, oven.token, session)


def run(oven: Stack, cases: Iterable[Case]) -> Found:
    found, before, started = Found(), len(oven.log), time.monotonic()
    asyncio.run(_send_all(oven.port, cases, found))
    found.seconds = time.monotonic() - started
    for line in oven.log[before:].splitlines():
        if TRACEBACK in line:
            found.wrong.append(f"in the log: {line[:300]} ... {line[-1500:]}")
    return found


async def _send_all(port: int, cases: Iterable[Case], found: Found) -> None:
    waiting = iter(cases)

    async def sender() -> None:
        for case in waiting:
            await _send(port, case, found)

    await asyncio.gather(*(sender() for _ in range(AT_ONCE)))


async def _send(port: int, case: Case, found: Found) -> None:
    started = time.monotonic()
    try:
        async with asyncio.timeout(LIMIT_S):
            answer = await _talk(port, case)
    except TimeoutError:
        found.statuses["hung"] += 1
        found.wrong.append(f"hung: {case}")
        return
    found.slowest_s = max(found.slowest_s, time.monotonic() - started)
    status = answer.split(b" ", 2)[1][:3].decode("latin-1") if answer.startswith(b"HTTP/") else "closed"
    found.statuses[status] += 1
    if complaint := wrong(status, answer):
        found.wrong.append(f"{complaint}: {case} -> {answer[:600]!r}")


async def _talk(port: int, case: Case) -> bytes:
    """All that is answered, until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(case.data)
        if case.short:
            writer.write_eof()
        while data := await reader.read(65_536):
            answer = (answer + data)[:200_000]
    except ConnectionError:  # of what the server did not read
        pass
    finally:
        writer.transport.abort()
    return answer


def wrong(status: str, answer: bytes) -> str:
    """What is the matter with an answer; empty for nothing."""
    if TRACEBACK.encode() in answer:
        return "a traceback in the answer"
    if UNKNOWN in answer or (status == "500" and not _named(answer)):
        return "an error nobody has foreseen"
    return ""


def _named(answer: bytes) -> bool:
    """An error of the work that was asked for (a piece that is not there), not of the service."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        body = body.partition(b"\r\n")[2].rpartition(b"\r\n0")[0]
    try:
        said: Any = json.loads(body) if body else {"code": "HEAD"}
    except ValueError:
        return False
    return bool({"code", "grabId", "bundleId", "jobId"} & set(said))
