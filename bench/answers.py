"""CPU time of one answer: static files, cached pictures and probes of Oven, and a static file of nginx.

python -m bench.answers            the full run, about two minutes
python -m bench.answers --quick    a look

All are asked for in turns, over the same number of connections that stay open. nginx is left out where it is not
installed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench import facts
from bench.site import Site
from tests.e2e.stack import ROOT, Stack, free_port

STATIC = "/static/oven/live/dom.js"
ICON, GRAB = "/icon/128x128/orbit.png", "/grab/png/128/128/orbit"
LIMITS = {"icon, redirect": 1.5, "icon, bytes": 1.5, "grab, redirect": 1.5, "grab, bytes": 1.5, "/health": 1.0}
BASE = "static file"


class Question(NamedTuple):
    """What is asked for: of which port, with which further header, answered with which status, by which process."""

    what: str
    port: int
    path: str
    status: int
    process: psutil.Process
    header: str = ""


def main() -> None:
    options = parse()
    with (
        Site() as site,
        tempfile.TemporaryDirectory(prefix="oven-bench-") as folder,
        Stack(Path(folder) / "data", site.origin, workers=1, kinds=("capture",)) as stack,
        nginx(Path(folder)) as peer,
    ):
        for path in (ICON, GRAB):
            stack.get(path).raise_for_status()
        asked = [*questions(stack), *peer]
        rounds = [one for number in range(options.rounds + 1) for one in turn(asked, number, options)]
    summary = summarise([one for one in rounds if one["round"]])  # the first round warms up
    raw = {"machine": facts.machine(), "versions": facts.versions(), "settings": vars(options), "limits": LIMITS}
    path = facts.write("answers", options.label, {**raw, "summary": summary, "measurements": rounds})
    print(report(summary))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    about = __doc__.splitlines()[0] if __doc__ else ""
    parser = argparse.ArgumentParser("python -m bench.answers", description=about)
    parser.add_argument("--count", type=int, default=2000, help="requests of each kind in a round (default 2000)")
    parser.add_argument("--connections", type=int, default=8, help="that stay open (default 8)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each kind has its turn (default 7)")
    parser.add_argument("--label", default="", help="names the result file, in place of the number of cores")
    parser.add_argument("--quick", action="store_true", help="two rounds: a look, not a result")
    quick, _ = parser.parse_known_args()
    if quick.quick:
        parser.set_defaults(rounds=2)
    return parser.parse_args()


def questions(stack: Stack) -> list[Question]:
    web = next(process for process in stack.children("uvicorn"))
    origin = "Origin: https://site.example\r\n"
    asked = [
        (BASE, STATIC, 200, ""),
        ("/health", "/health", 200, ""),
        ("icon, redirect", ICON, 302, ""),
        ("icon, bytes", ICON, 200, origin),
        ("grab, redirect", GRAB, 302, ""),
        ("grab, bytes", GRAB, 200, origin),
    ]
    return [Question(what, stack.port, path, status, web, header) for what, path, status, header in asked]


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[list[Question]]:
    """Serve the same static file with one worker process of nginx."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        facts.say("nginx is not installed: left out")
        yield []
        return
    port, place = free_port(), folder / "nginx"
    place.mkdir()
    temporary = "".join(
        f"{name}_temp_path {place}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (
        f"daemon off; worker_processes 1; pid {place}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary} include /etc/nginx/mime.types;\n"
        f"server {{ listen 127.0.0.1:{port}; location /static/ {{ alias {ROOT}/static/; }} }} }}\n"
    )
    (place / "nginx.conf").write_text(text)
    process = subprocess.Popen(
        [program, "-p", str(place), "-c", str(place / "nginx.conf")], stderr=subprocess.DEVNULL
    )
    try:
        main_process = psutil.Process(process.pid)
        Stack.until(main_process.children)
        yield [Question("static file of nginx", port, STATIC, 200, main_process.children()[0])]
    finally:
        process.terminate()
        process.wait(10)


def turn(asked: list[Question], number: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Ask for everything, one kind after the other."""
    found = []
    for question in asked:
        before, started = cpu_s(question.process), time.monotonic()
        asyncio.run(ask(question, options.count, options.connections))
        used, took = cpu_s(question.process) - before, time.monotonic() - started
        cpu_ms = round(used / options.count * 1000, 4)
        found.append({"round": number, "what": question.what, "cpu_ms": cpu_ms, "per_s": round(options.count / took)})
    return found


def cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


async def ask(question: Question, count: int, connections: int) -> None:
    """Send requests over connections that stay open, one after the other on each."""
    request = f"GET {question.path} HTTP/1.1\r\nHost: 127.0.0.1:{question.port}\r\n{question.header}\r\n".encode()
    expected = f"HTTP/1.1 {question.status} ".encode()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", question.port)
        for _ in range(count // connections):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(expected), head
            await body(reader, head.lower())
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))


async def body(reader: asyncio.StreamReader, head: bytes) -> None:
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), None)
    if length is not None:
        await reader.readexactly(length)
        return
    assert b"transfer-encoding: chunked" in head, head
    while size := int((await reader.readline()).strip(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


def summarise(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return medians; ratios are of the same round, to Oven's own static file."""
    base = {one["round"]: one["cpu_ms"] for one in rounds if one["what"] == BASE}
    found: dict[str, Any] = {}
    for what in dict.fromkeys(one["what"] for one in rounds):
        mine = [one for one in rounds if one["what"] == what]
        found[what] = {
            "cpu_ms": statistics.median(one["cpu_ms"] for one in mine),
            "per_s": statistics.median(one["per_s"] for one in mine),
            "ratio": round(statistics.median(one["cpu_ms"] / base[one["round"]] for one in mine), 2),
        }
    return found


def report(summary: dict[str, Any]) -> str:
    rows = [
        [what, f"{one['cpu_ms']:.2f}", f"{one['per_s']:.0f}", f"x{one['ratio']:.2f}", limit(what)]
        for what, one in summary.items()
    ]
    return facts.table(["answer", "CPU ms", "a second", "ratio to static", "at most"], rows)


def limit(what: str) -> str:
    return f"x{LIMITS[what]:g}" if what in LIMITS else ""


if __name__ == "__main__":
    main()
