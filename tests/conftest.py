"""What every test may use: a real Valkey, and one person of each kind."""

from __future__ import annotations

import gc
import shutil
import signal
import socketserver
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from supervisor import valkey as embedded
from tests.e2e.prepared import EMPTY, prepared

# A shell's background job ignores SIGINT, and so would every process that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ("tests.harness.timings", "tests.harness.sizes", "tests.harness.covered")
gc.disable()  # until all tests are collected: nearly everything that collecting makes stays


def pytest_collection_finish() -> None:
    """Spare the garbage collector the modules and tests that stay for the whole run: a tenth of its CPU time."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """Copy a migrated database for this process: migrating takes ten times as long. `prepared` migrates from nothing.

    The same copy undoes what a test with `transaction=True` wrote: Django empties every table and recreates the
    permissions instead, which takes twenty times as long.
    """
    from django.db import connections
    from django.test import TransactionTestCase

    database = connections["default"]
    place = Path(settings.DATABASES["default"]["TEST"]["NAME"])
    template = prepared() / EMPTY
    shutil.copy2(template, place)
    with django_db_blocker.unblock():
        database.close()
        settings.DATABASES["default"]["NAME"] = database.settings_dict["NAME"] = str(place)
    source = sqlite3.connect(f"file:{template}?immutable=1", uri=True)
    with closing(source), pytest.MonkeyPatch.context() as patch:

        def restore(case: TransactionTestCase) -> None:
            database.ensure_connection()
            source.backup(database.connection)

        patch.setattr(TransactionTestCase, "_fixture_teardown", restore)
        yield


@pytest.fixture(scope="session", autouse=True)
def _servers_expect_disconnects() -> Iterator[None]:
    """Print no traceback when a client of a test's own HTTP server goes away: many tests are about that."""
    report = socketserver.BaseServer.handle_error

    def handle_error(server: socketserver.BaseServer, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            report(server, request, client_address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socketserver.BaseServer, "handle_error", handle_error)
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_listed_once() -> Iterator[None]:
    """Keep WhiteNoise's list of files: every test client makes a middleware of its own, and to list takes 30 ms."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    files: dict[str, Any] = {}
    listed = WhiteNoiseMiddleware.add_files_from_finders

    def add_files(middleware: WhiteNoiseMiddleware) -> None:
        if not files:
            listed(middleware)
            files.update(middleware.files)
        middleware.files.update(files)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add_files)
        yield


@pytest.fixture(scope="session")
def _valkey() -> Iterator[embedded.Embedded]:
    server = embedded.start(Path(settings.OVEN_DATA))
    yield server
    server.stop()


@pytest.fixture
def valkey(_valkey: embedded.Embedded) -> Iterator[Any]:
    """A Redis client on an empty database."""
    import redis

    from oven.events import publisher
    from oven.ops.metrics import counters

    client = redis.Redis.from_url(settings.REDIS_URL)
    publisher.flush()  # of the test before
    counters.flush()
    client.flushall()
    yield client
    client.close()


@dataclass
class People:
    """One of each kind: everybody who may knock on a door."""

    staff: Any  # a superuser
    viewer: Any
    operator: Any
    administrator: Any
    outsider: Any  # signed in, not staff
    steering_token: str
    grabbing_token: str

    def bearer(self, secret: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {secret}"}


def make_people() -> People:
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    from oven.accounts.models import ApiToken
    from oven.accounts.roles import Role

    users = get_user_model().objects

    def member(role: Role) -> Any:
        user = users.create_user(role.value, is_staff=True)
        user.groups.add(Group.objects.get(name=role.value))
        return user

    secrets = {}
    for scope in ("steer", "grab"):
        token = ApiToken(name=scope, scopes=[scope])
        secrets[scope] = token.renew()
        token.save()
    return People(
        staff=users.create_user("alice", password="alice", is_staff=True, is_superuser=True),
        **{role.value: member(role) for role in Role},
        outsider=users.create_user("charlie", password="charlie"),
        steering_token=secrets["steer"],
        grabbing_token=secrets["grab"],
    )


@pytest.fixture
def people(db: None) -> People:
    return make_people()


@pytest.fixture(scope="module")
def module_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A transaction around all tests of a module. What module-scoped fixtures write in it is there for each of them.

    What a test writes itself is undone after it as ever. No test of such a module may have `transaction=True`.
    """
    from django.db import transaction

    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def module_people(module_database: None) -> People:
    """For a module that makes them once: its own fixture `people` returns a deep copy."""
    return make_people()


@pytest.fixture
def wish() -> Any:
    """Makes checked requests: `wish(piece="orbit", format="png")`."""
    from captures.requests import parse

    return lambda **fields: parse({"piece": "orbit", "width": 64, "height": 64, **fields})


@pytest.fixture
def grab(db: None, valkey: Any, wish: Any) -> Any:
    """Asks for grabs: `grab(piece="orbit")` is a waiting row of its own."""
    from captures.services import ask

    def asked(**fields: Any) -> Any:
        options = {name: fields.pop(name) for name in ("source", "lane", "skip_cache", "user") if name in fields}
        return ask(wish(**fields), **options).grab

    return asked
