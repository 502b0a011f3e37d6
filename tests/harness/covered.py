"""What the tests of a run cover: routes, roles, error codes, kinds of faults, commands. `bin/test` prints the gaps.

As a pytest plugin it notes what each test touches, in the test process and through a Stack. As a program it compares
the notes of all phases with what the product has, writes the table, and fails when something is covered by no test:

    python -m tests.harness.covered var/test-artifacts/results
"""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

PROPERTY = "covers"
_current: set[tuple[str, str]] = set()  # of the test that runs: what kind of thing, and which


def note(subject: str, item: str) -> None:
    """Note that the running test covers an item: a route, a role, an error code ..."""
    _current.add((subject, item))


# As a plugin


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _current.clear()
    for value in (getattr(item, "callspec", None) and item.callspec.params.values()) or ():  # type: ignore[attr-defined]
        _note_code(value)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        item.user_properties.append((PROPERTY, sorted(_current)))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Watch the product's own functions through which requests, failures and commands go."""
    if session.items and not session.config.option.collectonly:
        _watch_product()


def _watch_product() -> None:
    import subprocess

    from django.core.handlers.base import BaseHandler
    from django.core.management.base import BaseCommand
    from django.test import AsyncClient, Client

    from bakes.engine.errors import BakeError
    from bundles.engine.errors import BundleError
    from captures.engine.errors import CaptureError
    from oven.accounts.models import ApiToken
    from oven.egress.client import FetchError
    from oven.jobs import lifecycle
    from pins.ipfs.backends import PinError

    _watch(BaseHandler, "resolve_request", lambda args, match: _note_request(args[1].method, match.route))
    _watch(lifecycle, "fail", lambda args, _: note("error code", str(args[1])))
    _watch(BaseCommand, "execute", lambda args, _: note("command", type(args[0]).__module__.rpartition(".")[2]))
    _watch(subprocess.Popen, "__init__", lambda args, _: _note_process(args[1] if len(args) > 1 else ()))
    _watch(ApiToken, "renew", lambda args, _: [note("role", f"token: {scope}") for scope in args[0].scopes])
    for client, name in ((Client, "force_login"), (AsyncClient, "aforce_login")):
        _watch(client, name, lambda args, _: note("role", _role(args[1])))
    for error in (BakeError, BundleError, CaptureError, FetchError, PinError):
        _watch(error, "__init__", lambda args, _: note("error code", str(args[1])))


def _watch(owner: Any, name: str, tell: Callable[[tuple[Any, ...], Any], None]) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        tell(args, result)
        return result

    setattr(owner, name, watched)


def _note_request(method: str, route: str) -> None:
    note("route", f"{method} {_path(route)}")
    note("route", f"any {_path(route)}")


def _role(user: Any) -> str:
    """Return the role of a user of the tests, whose name is that of the role (no query: others count them)."""
    if user.is_superuser:
        return "superuser"
    return str(user.username) if user.is_staff else "signed in, not staff"


def _note_process(command: Any) -> None:
    words = list(map(str, command)) if isinstance(command, list | tuple) else []
    for program, argument in itertools.pairwise(words):
        if program.endswith("manage.py"):
            note("command", argument)


def _note_code(value: Any) -> None:
    """Note a value that is an error code of one of the engines."""
    if type(value).__name__ == "ErrorCode":
        note("error code", str(value))


# As a program

ROOT = Path(__file__).resolve().parents[2]
# Where a code is given to an error: `PinError("keys_gone", ...)`.
CODE = re.compile(r"(?:Error|Failed|_fail|\.fail)\((?:[\w.]+, )?\s*\"([a-z]+(?:_[a-z]+)*)\",")
OF_LIBRARIES = (
    "admin/django_rq/",
    "admin/r/",
    "admin/jsi18n/",
    "admin/autocomplete/",
    "admin/(?P",
    "admin/^",
    "admin/search/",
)
EXAMPLES = 2  # tests named for each item


def needed() -> dict[str, set[str]]:
    """Return what the product has: items by subject. Django must be set up."""
    from django.core.management import get_commands

    from chaos.faults import FAULTS
    from oven.accounts.models import Scope
    from oven.accounts.roles import Role

    own = ("oven", "oven_site", "dashboard", "demo", "captures", "pins", "bakes", "bundles")
    return {
        "route": set(_routes()),
        "role": {*Role, "superuser", "signed in, not staff", *(f"token: {scope}" for scope in Scope.values)},
        "error code": set(_codes()),
        "fault": set(FAULTS),
        "command": {name for name, app in get_commands().items() if app.startswith(own)},
    }


def _routes() -> Iterable[str]:
    """Yield method and path of the API's operations, and the path of every other page."""
    from django.urls import URLPattern, get_resolver

    from oven_site.api import api

    operations = {
        path.lstrip("/"): [method.upper() for method in methods]
        for path, methods in api.get_openapi_schema()["paths"].items()
    }

    def walk(entries: Any, prefix: str) -> Iterable[str]:
        for entry in entries:
            route = prefix + str(entry.pattern)
            if isinstance(entry, URLPattern):
                yield route
            else:
                yield from walk(entry.url_patterns, route)

    for route in map(_path, walk(get_resolver().url_patterns, "")):
        if not route.startswith(OF_LIBRARIES) and not route.endswith("/{object_id}/"):
            yield from (f"{method} {route}" for method in operations.get(route, ["any"]))


def _path(route: str) -> str:
    """Return a URL pattern as OpenAPI writes it: `grab/{format}/{piece}`."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)


def _codes() -> Iterable[str]:
    from bakes.engine.errors import ErrorCode as BakeCode
    from bundles.engine.errors import ErrorCode as BundleCode
    from captures.engine.errors import ErrorCode as CaptureCode

    for codes in (BakeCode, BundleCode, CaptureCode):
        yield from map(str, codes)
    for folder in ("oven", "oven_site", "dashboard", "captures", "pins", "bakes", "bundles"):
        for path in (ROOT / folder).rglob("*.py"):
            yield from CODE.findall(path.read_text())


def noted(results: Iterable[Path]) -> dict[tuple[str, str], list[str]]:
    """Return the tests that passed by what they cover, and those that cannot run on this machine, marked as such."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in results:
        for test in json.loads(path.read_text())["tests"]:
            if test["outcome"] != "failed":
                mark = " (skipped on this machine)" if test["outcome"] == "skipped" else ""
                for subject, item in test.get(PROPERTY, []):
                    found[subject, item].append(test["id"] + mark)
    return found


def main(folder: Path) -> int:
    """Write `covered.txt` beside the results; print and count what no test covers."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    covered = noted(folder.glob("*.json"))
    lines, gaps = [], []
    for subject, items in needed().items():
        lines += ["", f"{subject}: {len(items)}"]
        for item in sorted(map(str, items)):
            tests = covered.get((subject, item), [])
            lines.append(f"  {item:<60} {len(tests):>5}  {'  '.join(tests[:EXAMPLES])}")
            if not tests:
                gaps.append(f"{subject}: {item}")
    (folder / "covered.txt").write_text("\n".join(lines).strip() + "\n")
    if gaps:
        print("Covered by no test that passed:", *gaps, sep="\n  ")
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
