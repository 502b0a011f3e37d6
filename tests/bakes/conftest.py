from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bakes import services
from bakes.models import Bake
from bakes.requests import parse
from oven.jobs import lifecycle
from tests.site_server import Site


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    """The site that this Oven bakes for, with the secret that it shares."""
    with Site() as server:
        settings.OVEN_CALLBACK_SECRET = "shared"
        settings.OVEN_TAPE_ORIGINS = settings.OVEN_CALLBACK_ORIGINS = [server.origin]
        settings.OVEN_CALLBACK_DELAYS_S = [0.1, 0.1, 0.1]
        yield server


@pytest.fixture
def bake(db: None, valkey: Any, site: Site) -> Any:
    """Asks for bakes: `bake("code")` is a waiting row of its own."""
    return lambda code="abc123", **fields: services.ask(parse(site.wish(code, **fields)))


@pytest.fixture
def ended(bake: Any) -> Any:
    """Bakes that have come to their end: `ended("code")`, or `ended("code", error="It broke.")`."""

    def end(code: str = "abc123", error: str = "") -> Bake:
        row: Any = lifecycle.claim("bake", bake(code).pk, "test:1:1")
        return lifecycle.fail(row, "broken", error, retry=False) if error else lifecycle.finish(row, {"queue": 1})

    return end
