"""The command line: checks, the order of starting, and what is said meanwhile."""

import argparse
import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from supervisor import services
from supervisor import valkey as embedded
from supervisor.checks import Refused, free_port, private_directory, take_lock
from supervisor.child import Process
from supervisor.core import Stopped, Supervisor
from supervisor.health import Address, healthy
from supervisor.orphan_guard import RUN_MARK, end_family
from supervisor.output import Console

_READY_LIMIT = 60.0
_DAMAGED = ("file is not a database", "database disk image is malformed")
_EARLY_DEATHS = 3  # a child that dies this often before Oven is ready will not get better


def main(argv: Sequence[str] | None = None) -> int:
    """Run Oven until it is asked to stop; returns the exit code."""
    given = {**services.dotenv(), **{name: value for name, value in os.environ.items() if value}}
    options = parse(argv, given)
    os.umask(0o077)  # what is kept is for this account alone
    try:
        watch_s = seconds(given, "OVEN_WEB_HEALTH_INTERVAL_S", 5.0)
        warning = private_directory(options.data)
        lock = take_lock(options.data / "run" / "oven.lock")
        # Left by a run whose supervisor and guard were both killed.
        end_family([f"{RUN_MARK}=".encode(), b"OVEN_DATA=" + os.fsencode(options.data)], grace=0.0)
        if "web" in options.roles:
            free_port(options.host, options.port, "Oven")
        if "pieces" in options.roles:
            free_port("127.0.0.1", options.pieces_port, "the pieces site")
    except (Refused, OSError) as problem:
        print(f"oven: {problem}", file=sys.stderr)
        return 1
    console = Console(options.data / "logs")
    supervisor = Supervisor(console, services.environment(options, given), keep_fd=lock)
    if warning:
        console.say(warning)
    try:
        return serve(supervisor, options, given, watch_s)
    finally:
        console.close()


def parse(argv: Sequence[str] | None, env: Mapping[str, str]) -> services.Options:
    """Read the command line."""
    parser = argparse.ArgumentParser("oven", description="Run Oven; Ctrl-C stops it.", allow_abbrev=False)
    add = parser.add_argument
    port, data = env.get("OVEN_PORT") or "3002", env.get("OVEN_DATA") or str(services.ROOT / "var")
    add("--port", type=number(1, 65534), default=port, help="Oven's port; pieces get the next (default 3002)")
    add("--data", type=Path, default=data, metavar="DIR", help="where everything is kept (default var/)")
    add("--workers", type=number(0, 64), default=2, help="how many captures run at once (default 2)")
    add("--bakes", type=number(0, 64), default=2, help="how many bakes run at once (default 2)")
    add("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    add("--roles", type=roles, default=services.ROLES, metavar="LIST", help="what to run (default: everything)")
    try:
        number(1, 65534)(port)
    except argparse.ArgumentTypeError as problem:
        parser.error(f"OVEN_PORT={problem}")
    found = parser.parse_args(argv)
    if "valkey" not in found.roles and not services.is_set(env, "REDIS_URL"):
        parser.error("argument --roles: without valkey, REDIS_URL must name a server")
    data = os.path.abspath(Path(env.get("OVEN_FROM", "."), found.data))  # bin/oven changes directory
    return services.Options(found.port, Path(data), found.workers, found.host, found.bakes, found.roles)


def roles(text: str) -> tuple[str, ...]:
    """Convert a comma-separated list of roles; an argparse type."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in services.ROLES]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(services.ROLES)}")
    if not names:
        raise argparse.ArgumentTypeError(f"at least one of {', '.join(services.ROLES)}")
    return tuple(name for name in services.ROLES if name in names)


def number(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number between two others."""

    def convert(text: str) -> int:
        if text.isascii() and text.isdigit() and low <= int(text) <= high:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")

    return convert


def seconds(given: Mapping[str, str], name: str, default: float) -> float:
    """Read a setting of the supervisor's own: seconds, 0 or more. Raises Refused."""
    text = given.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise Refused(f"{name}={text!r} is not a number of seconds, 0 or more")
    return value


def serve(supervisor: Supervisor, options: services.Options, given: Mapping[str, str], watch_s: float) -> int:
    """Start everything in order, then watch over it."""
    supervisor.open()
    for child in services.services(options):
        supervisor.console.expect(child.name)  # all columns line up from the first line
    try:
        if services.runs_as_root():
            supervisor.console.say("running as root: Chromium's sandbox is off; better use an ordinary user")
        start(supervisor, options, given, watch_s)
        supervisor.console.plain(banner(supervisor, options).encode())
        supervisor.run()
    except Stopped:
        supervisor.console.say("stopping (Ctrl-C again stops at once)")
        return 0
    except (Refused, embedded.NotStarted) as problem:
        supervisor.console.say(str(problem))
        return 1
    finally:
        supervisor.stop()
    return 0


def start(supervisor: Supervisor, options: services.Options, given: Mapping[str, str], watch_s: float) -> None:
    """Valkey and the program, the database, then everything else; returns when Oven answers."""
    valkey = None
    if services.own_valkey(options, given):
        embedded.prepare(options.data)
        valkey = supervisor.add(services.valkey(options))
    if (loader := services.loader()) and supervisor.load(loader, _READY_LIMIT).code == os.EX_CONFIG:
        raise Refused("Oven did not start: the settings named above are wrong")
    if valkey is not None:
        socket_path = embedded.socket_path(options.data)
        wait(supervisor, valkey, lambda: embedded.answers(socket_path))
    migrate(supervisor)
    running = [supervisor.add(child) for child in services.services(options)]
    if "web" in options.roles:
        address = Address(options.local_host, options.port)
        wait(supervisor, running[0], lambda: healthy(address))
        if watch_s:
            supervisor.watch(running[0], address, watch_s)


def migrate(supervisor: Supervisor) -> None:
    """Check the settings and bring the database up to date; silent when both are in order."""
    result = supervisor.run_once(services.manage("migrate", "migrate", "--noinput")._replace(show=False))
    errors, warnings = (_said(result.lines, level) for level in "EW")
    if result.code == os.EX_CONFIG or errors:
        raise Refused("Oven did not start: settings are wrong\n" + "\n".join(errors or result.lines))
    damage = [mark for mark in _DAMAGED if any(mark in text for text in result.lines)]
    if result.code != 0 and damage:
        raise Refused(
            f"the SQLite database is damaged ({damage[0]}); restore a backup into a new directory with "
            "`OVEN_DATA=DIR manage.py restore BACKUP`, and start Oven with --data DIR"
        )
    if result.code != 0:
        raise Refused("the database cannot be brought up to date:\n" + "\n".join(result.lines))
    for text in warnings:
        supervisor.console.say(text)
    if not any("No migrations to apply" in text for text in result.lines):
        begin = next((at for at, text in enumerate(result.lines) if text.startswith("Operations")), 0)
        for text in result.lines[begin:]:
            supervisor.console.plain(f"  {text}".encode())


def _said(lines: Sequence[str], level: str) -> list[str]:
    """Return what Django's checks have found: `?: (oven.E001) text` without what stands before the text."""
    found = [re.fullmatch(rf"\?: \(\w+\.{level}\d+\) (.+)", text) for text in lines]
    return [match[1] for match in found if match]


def wait(supervisor: Supervisor, needed: Process, ready: Callable[[], bool]) -> None:
    """Wait until a child is ready; says what died when it does not get there."""

    def settled() -> bool:
        return needed.deaths >= _EARLY_DEATHS or (needed.running and ready())

    if supervisor.until(settled, _READY_LIMIT) and needed.running and needed.deaths < _EARLY_DEATHS:
        return
    problem = f"Oven did not start: {needed.child.name} is not ready"
    raise Refused("\n".join([problem, *obituaries(supervisor)]))


def obituaries(supervisor: Supervisor) -> list[str]:
    """For each child that died: how, and its last words."""
    lines: list[str] = []
    for process in supervisor.processes.values():
        if process.deaths:
            lines.append(f"{process.child.name} {process.epitaph}; its last lines:")
            lines += [f"  {text}" for text in process.tail]
    return lines


def banner(supervisor: Supervisor, options: services.Options) -> str:
    """Return the text shown once everything runs: addresses, and what to do next."""
    example = f"{options.address}/grab/webp/256/256/orbit?duration=2000&fps=15"
    rows = [("Data", str(options.data))]
    if "pieces" in options.roles:
        rows.insert(0, ("Pieces", f"http://127.0.0.1:{options.pieces_port}/"))
    if "web" in options.roles:
        rows[:0] = [("Address", f"{options.address}/"), ("Sign in", sign_in(supervisor))]
    if options.roles == services.ROLES:
        rows.append(("Try it", f"curl -o a.webp '{example}'"))
    else:
        rows.append(("Roles", ", ".join(options.roles)))
    table = "\n".join(f"    {name:<9}{value}" for name, value in rows)
    return f"\n  Oven is ready.\n\n{table}\n\n  Ctrl-C stops it.\n"


def sign_in(supervisor: Supervisor) -> str:
    """A link that signs its first visitor in."""
    # Not filed: until somebody follows it the link is a key.
    result = supervisor.run_once(services.manage("signin", "signin")._replace(show=False, log=False))
    links = [text.strip() for text in result.lines if "://" in text]
    if result.code == 0 and links:
        return f"{links[-1]} (works once)"
    for text in result.lines:
        supervisor.console.say(f"signin: {text}")
    return "(no link could be made; the reason stands above)"
