"""How soon the admin's lists open with a million grabs, next to what Django's admin does by itself.

python -m bench.admin_lists                        SQLite and PostgreSQL, a million grabs
python -m bench.admin_lists --quick                50,000 grabs on SQLite
python -m bench.admin_lists --databases sqlite --pages "grabs: first"
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import facts

POSTGRES_USER = "postgres"  # the server refuses to run as root


def main() -> None:
    options = parse()
    start = {"machine": facts.machine(), "versions": facts.versions(), "settings": vars(options)}
    found = {name: measured(name, options) for name in options.databases.split(",")}
    end = {"load_average_at_the_end": facts.load()}
    path = facts.write("admin-lists", options.label, {**start, **end, "databases": found})
    print(report(found))
    facts.say(f"raw results: {path.relative_to(facts.ROOT)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.admin_lists", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--rows", type=int, default=1_000_000, help="grabs (default 1,000,000), with 1.2 times as many attempts")
    add("--databases", default="sqlite,postgresql", help="which of both, by commas")
    add("--count", type=int, default=20, help="requests of every page (default 20)")
    add("--peer-count", type=int, default=3, help="of every page of the peer's (default 3)")
    add("--pages", default="", help="only those whose name has this in it")
    add("--keep", default="", help="a directory where the databases stay, to be used again")
    add("--label", default="", help="names the machine in the result's file")
    add("--quick", action="store_true", help="a look, not a result")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.databases, options.count = 50_000, "sqlite", 5
    return options


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Fills and measures in a process of its own, whose settings are of this database."""
    with _directory(options.keep, name) as directory, _database(name, directory) as url:
        env = {**os.environ, "DATABASE_URL": url, "OVEN_DATA": str(directory / "data")}
        command = [sys.executable, "-m", "bench.admin_lists_pages", json.dumps(vars(options))]
        facts.say(f"{name}: filling and measuring")
        done = subprocess.run(command, cwd=facts.ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@contextlib.contextmanager
def _directory(keep: str, name: str) -> Iterator[Path]:
    if keep:
        path = Path(keep) / name
        path.mkdir(parents=True, exist_ok=True)
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="bench-admin-lists-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@contextlib.contextmanager
def _database(name: str, directory: Path) -> Iterator[str]:
    """The address of a database in a directory."""
    if name == "sqlite":
        yield f"sqlite:///{directory / 'oven.sqlite3'}"
        return
    data, socket = directory / "postgres", directory / "socket"
    for path in (data, socket):
        path.mkdir(exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(path, POSTGRES_USER)
    data.chmod(0o700)
    if not (data / "PG_VERSION").exists():
        _postgres("initdb", "-D", str(data), "-U", "oven", "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8")
    server = f"-k {socket} -c listen_addresses='' -c shared_buffers=512MB -c fsync=off -c max_wal_size=4GB"
    _postgres("pg_ctl", "-D", str(data), "-w", "-l", str(data / "log"), "-o", server, "start")
    try:
        yield f"postgres://oven@/postgres?host={socket}"
    finally:
        _postgres("pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")


def _postgres(*command: str) -> None:
    if os.geteuid() == 0:
        command = ("runuser", "-u", POSTGRES_USER, "--", *command)
    subprocess.run(command, cwd="/", stdout=subprocess.DEVNULL, check=True)


def report(found: dict[str, dict[str, Any]]) -> str:
    """A row for each page: p50 and p95 of each database, and how many times as long the peer's median takes."""
    names = list(dict.fromkeys(page["name"] for result in found.values() for page in result["pages"]))
    head = ["page"]
    for name in found:
        head += [f"{name} p50", "p95", "stock p50", "ratio"]
    by_name = {key: {page["name"]: page for page in result["pages"]} for key, result in found.items()}
    rows = [[name, *(cell for key in found for cell in _cells(by_name[key].get(name)))] for name in names]
    return facts.table(head, rows)


def _cells(page: dict[str, Any] | None) -> list[str]:
    if page is None:
        return ["", "", "", ""]
    ours, stock = page["ms"], page["stock_ms"]
    p50, p95 = facts.percentile(ours, 50), facts.percentile(ours, 95)
    if not stock:
        return [f"{p50:.0f}", f"{p95:.0f}", "", ""]
    peer = facts.percentile(stock, 50)
    return [f"{p50:.0f}", f"{p95:.0f}", f"{peer:.0f}", f"{peer / p50:.1f}"]


if __name__ == "__main__":
    main()
