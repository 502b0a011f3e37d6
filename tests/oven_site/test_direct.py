"""The short way answers what the long way does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings as django_settings

from oven.http import fast_path
from tests.support import Answer, request

pytestmark = pytest.mark.django_db
PATHS = [
    "/health",
    "/grab-status",
    "/status",
    "/icon/7/no.gif",
    "/status/unknown",
    "/grab-status/",
    "/keeps/latest",
    "/live",
]
OWN = ("X-Request-ID", "Set-Cookie", "Vary")  # a session that has gone is taken back


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which requests have taken the short way."""
    taken: list[str] = []
    real = fast_path.view_of

    async def watched(http: Any) -> Any:
        taken.append(http.path)
        return await real(http)

    monkeypatch.setattr(fast_path, "view_of", watched)
    return taken


def head(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OWN}


def long_way(path: str, **headers: str) -> Answer:
    """A session that nobody has: for the middlewares it is one to look for."""
    return request("GET", path, headers={"Cookie": f"{django_settings.SESSION_COOKIE_NAME}=gone", **headers})


@pytest.mark.parametrize("path", PATHS)
def test_both_ways_answer_the_same(valkey: Any, ways: list[str], path: str) -> None:
    short, long = request("GET", path), long_way(path)
    assert short.status == long.status
    assert head(short) == head(long)
    assert len(ways) == 1


@pytest.mark.parametrize("path", ["/docs", "/og-preview", "/app-screenshots", "/App-Screenshots/"])
def test_pages_of_the_contract_look_the_same_both_ways(valkey: Any, ways: list[str], path: str) -> None:
    short, long = request("GET", path), long_way(path)
    nonces = re.compile(r'nonce="[^"]+"')
    assert (short.status, long.status, len(ways)) == (200, 200, 1)
    assert nonces.sub("", short.body.decode()) == nonces.sub("", long.body.decode())


def test_protective_headers_are_on_the_short_way_too(valkey: Any) -> None:
    found = request("GET", "/health").headers
    assert (found["X-Frame-Options"], found["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert (found["Referrer-Policy"], found["Cross-Origin-Opener-Policy"]) == ("same-origin", "same-origin")


def test_an_unknown_host_is_refused_on_both(settings: Any, valkey: Any) -> None:
    settings.ALLOWED_HOSTS = ["oven.example"]
    for ask in (request, lambda _, path, headers: long_way(path, **headers)):
        assert ask("GET", "/health", headers={"Host": "evil.example"}).status == 400


def test_https_is_asked_for_on_both(settings: Any, valkey: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert [request("GET", "/health").status, long_way("/health").status] == [301, 301]


def test_a_view_that_breaks_is_a_500_in_json(monkeypatch: pytest.MonkeyPatch, valkey: Any) -> None:
    def broken(private: bool) -> Any:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("oven.events.snapshot.state", broken)
    answer = request("GET", "/status")
    assert answer.status == 500
    assert answer.json["error"] == "Oven failed."
