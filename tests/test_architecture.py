"""Rules of the whole source tree that no import contract can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PACKAGES = ("bakes", "bundles", "captures", "chaos", "dashboard", "demo", "oven", "oven_site", "pins", "supervisor")
TREES = (*PACKAGES, "pieces", "bench", "bin")
SUFFIXES = {".py", ".js", ".mjs", ".css", ".html", ".sh", ""}
MAX_FILE_LINES, MAX_FUNCTION_LINES = 500, 60

# Who may open a connection to another host, or knows how to.
REACHES_OUT = {
    "oven/egress",  # the one place that decides
    "supervisor",  # looks whether a port of this machine is free
    "chaos",  # asks scratch instances of its own, on this machine
    "supervisor/valkey.py",  # the queue's own socket file
    "oven/jobs/worker.py",  # the name of this machine
}
# Who may start a process.
STARTS_PROCESSES = {
    "captures/engine",  # Chromium and ffmpeg
    "bundles/engine",  # Node and git
    "supervisor",
    "chaos",  # scratch instances, by the supervisor
    "supervisor/valkey.py",  # the queue
    "oven/ops/backup/databases.py",  # PostgreSQL's own programs
}
NETWORK = {
    "_socket",
    "aiohttp",
    "dns",
    "ftplib",
    "h11",
    "h2",
    "http.client",
    "httpcore",
    "httpx",
    "imaplib",
    "paramiko",
    "poplib",
    "pycurl",
    "requests",
    "smtplib",
    "socket",
    "ssl",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "websocket",
    "websockets",
    "xmlrpc.client",
}
# By their last part: whatever the loop, or the module, is called.
NETWORK_CALLS = {
    "create_connection",
    "create_datagram_endpoint",
    "create_unix_connection",
    "getaddrinfo",
    "getnameinfo",
    "open_connection",
    "open_unix_connection",
    "sock_connect",
    "urlopen",
    "urlretrieve",
}
PROCESS_CALLS = {
    "create_subprocess_exec",
    "create_subprocess_shell",
    "os.fork",
    "os.forkpty",
    "os.system",
    "os.popen",
    "os.posix_spawn",
    "pty.spawn",
}


def sources(*suffixes: str) -> Iterator[Path]:
    for tree in TREES:
        for path in sorted((ROOT / tree).rglob("*")):
            hidden = {"__pycache__", "migrations", "node_modules", "results"} & set(path.parts)
            if path.is_file() and not hidden and (not suffixes or path.suffix in suffixes):
                yield path


PYTHON = list(sources(".py"))
SERVICE = [path for path in PYTHON if (ROOT / "bench") not in path.parents]  # the bench measures from outside


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def allowed(path: Path, places: set[str]) -> bool:
    name = name_of(path)
    return any(name == place or name.startswith(f"{place}/") for place in places)


@cache
def nodes(tree: ast.Module) -> list[ast.AST]:
    """All of a tree, walked once for all tests."""
    return list(ast.walk(tree))


@cache
def imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@cache
def calls(tree: ast.Module) -> set[str]:
    return {unparsed(node.func) for node in nodes(tree) if isinstance(node, ast.Call)}


@cache
def unparsed(node: ast.expr) -> str:
    return ast.unparse(node)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_there_are_sources_to_look_at() -> None:
    assert len(PYTHON) > 60


def test_only_egress_and_the_engines_browser_reach_out() -> None:
    found = {
        name_of(path): sorted(known)
        for path in SERVICE
        if not allowed(path, REACHES_OUT) and (known := reaches_out(parsed(path)))
    }
    assert found == {}


def reaches_out(tree: ast.Module) -> set[str]:
    packages = {
        name for name in imports(tree) if any(name == known or name.startswith(f"{known}.") for known in NETWORK)
    }
    return (
        packages | {call for call in calls(tree) if call.rpartition(".")[2] in NETWORK_CALLS} | _imported_late(tree)
    )


def _imported_late(tree: ast.Module) -> set[str]:
    """Modules that are named in a text: `import_module("socket")`."""
    found = set()
    for node in nodes(tree):
        if isinstance(node, ast.Call) and unparsed(node.func).rpartition(".")[2] in (
            "import_module",
            "__import__",
        ):
            found |= {ast.unparse(arg).strip("'\"") for arg in node.args[:1]} & NETWORK
    return found


@pytest.mark.parametrize(
    ("code", "reaches"),
    [
        ("import socket", True),
        ("from urllib import request", True),
        ("from urllib.request import urlopen", True),
        ("import urllib.request as r", True),
        ("import requests.adapters", True),
        ("from http import client", True),
        ("import asyncio\nasyncio.open_connection('a', 1)", True),
        ("asyncio.get_running_loop().create_connection(None, 'a', 1)", True),
        ("self._loop.sock_connect(None, None)", True),
        ("from asyncio import open_connection\nopen_connection('a', 1)", True),
        ("import importlib\nimportlib.import_module('httpx')", True),
        ("__import__('socket')", True),
        ("def f():\n    import websockets.sync.client", True),
        ("from urllib.parse import urlsplit", False),
        ("import http\nhttp.HTTPStatus", False),
    ],
)
def test_the_look_for_connections_sees_them(code: str, reaches: bool) -> None:
    assert bool(reaches_out(ast.parse(code))) is reaches


def test_every_browser_of_the_service_gets_the_one_set_of_options() -> None:
    """Those that send it through the proxy: `captures.browser.browser_options`."""
    found = set()
    for path in SERVICE:
        for node in nodes(parsed(path)):
            name = unparsed(node.func) if isinstance(node, ast.Call) else ""
            bare = name == "EngineHost" and not node.args and not node.keywords  # type: ignore[attr-defined]
            if bare or (name == "BrowserOptions" and not allowed(path, {"captures/engine", "captures/browser.py"})):
                found.add(name_of(path))
    assert found == set()


def test_only_the_engine_and_the_supervisor_start_processes() -> None:
    found = {
        name_of(path) for path in SERVICE if not allowed(path, STARTS_PROCESSES) and starts_processes(parsed(path))
    }
    assert found == set()


def starts_processes(tree: ast.Module) -> bool:
    if imports(tree) & {"subprocess", "multiprocessing", "pty"}:
        return True
    return any(call == name or call.endswith(f".{name}") for call in calls(tree) for name in PROCESS_CALLS) or any(
        re.match(r"os\.(exec|spawn)[a-z]+$", call) for call in calls(tree)
    )


def test_every_exception_to_these_rules_is_still_needed() -> None:
    for place in REACHES_OUT:
        assert any(allowed(path, {place}) and reaches_out(parsed(path)) for path in SERVICE), place
    for place in STARTS_PROCESSES:
        assert any(allowed(path, {place}) and starts_processes(parsed(path)) for path in SERVICE), place


@pytest.mark.parametrize(
    ("code", "starts"),
    [
        ("import subprocess", True),
        ("import asyncio\nasyncio.create_subprocess_exec('a')", True),
        ("import os\nos.fork()", True),
        ("import os\nos.execvp('a', [])", True),
        ("import os\nos.environ.get('A')", False),
    ],
)
def test_the_look_for_processes_sees_them(code: str, starts: bool) -> None:
    assert starts_processes(ast.parse(code)) is starts


def test_the_clients_of_redis_are_made_in_one_place() -> None:
    made = ("Redis", "StrictRedis", "Redis.from_url", "redis.from_url", "from_url")
    found = {name_of(path) for path in SERVICE for call in calls(parsed(path)) if call.endswith(made)}
    assert found == {"oven/redis.py"}


def test_nothing_is_unpickled_or_evaluated() -> None:
    risky = {"eval", "exec", "pickle.loads", "pickle.load", "marshal.loads", "yaml.load"}
    assert {name_of(path) for path in PYTHON if calls(parsed(path)) & risky} == set()


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_no_file_is_long() -> None:
    texts = [path for path in sources() if path.suffix in SUFFIXES]
    texts += [
        path for tree in ("static", "templates") for path in (ROOT / tree).rglob("*") if path.suffix in SUFFIXES
    ]
    lengths = {name_of(path): len(path.read_text(errors="replace").splitlines()) for path in texts if path.is_file()}
    assert {name: count for name, count in lengths.items() if count > MAX_FILE_LINES} == {}


def test_no_function_is_long() -> None:
    found = {}
    for path in PYTHON:
        for node in nodes(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    found[f"{name_of(path)}:{node.name}"] = length
    assert found == {}


# --- commands -------------------------------------------------------------------------------------------------------


def commands() -> list[str]:
    ours = [Path(config.path) for config in apps.get_app_configs() if Path(config.path).is_relative_to(ROOT)]
    ours = [path for path in ours if ".venv" not in path.parts]
    found = [file for path in ours for file in path.glob("management/commands/[!_]*.py")]
    return sorted(file.stem for file in found)


@pytest.fixture(scope="module")
def tests() -> list[str]:
    """The text of every test, but for these."""
    return [path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]


@pytest.mark.parametrize("command", commands())
def test_every_command_has_a_test_that_names_it(tests: list[str], command: str) -> None:
    assert any(f'"{command}"' in text for text in tests)
