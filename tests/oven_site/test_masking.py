"""Secrets do not get into the logs."""

from __future__ import annotations

import io
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from oven import logs, redaction
from tests.support import request

SECRET = "s3cr3t-value_1"


@pytest.mark.parametrize(
    "line",
    [
        f"GET /sign-in?sesame={SECRET} 403",
        f"/grab/webp/1/1/x?exp=1&sig={SECRET}&a=b",
        f"https://storage/?key={SECRET};x",
        f"?TOKEN={SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"'authorization': 'Basic {SECRET}'",
        f"(b'authorization', b'x') sent bearer {SECRET}",
        f'{{"callbackSecret": "{SECRET}", "code": "x"}}',
        f"{{'pinataSecret': '{SECRET}'}}",
        f"Cookie: a=b; sessionid={SECRET}; csrftoken={SECRET}",
        f"a=b; __Host-sessionid={SECRET}; __Host-csrftoken={SECRET}",
        f"postgres://oven:{SECRET}@db/oven",
        f"redis://:{SECRET}@127.0.0.1:6379",
        f"token oven_{SECRET}{SECRET} was refused",
        f"key whsec_c2VjcmV0{SECRET[:6]}0123456789",
    ],
)
def test_what_looks_like_a_secret_is_masked(line: str) -> None:
    masked = redaction.text(line)
    assert SECRET[:6] not in masked
    assert redaction.MASK in masked


@pytest.mark.parametrize(
    "line",
    [
        "GET /grab/webp/512/512/$roz?duration=4000&fps=8 302",
        "the token has expired; sign in again",
        "http://127.0.0.1:3003/orbit?density=1",
        "basic things come first: a token, a key",
        "oven.accounts.middleware",
    ],
)
def test_everything_else_stays(line: str) -> None:
    assert redaction.text(line) == line


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the service's own formatter writes, with one known secret."""
    stream = io.StringIO()
    config = logs.logging_config("json", "INFO", [SECRET, "short"])["formatters"]["structured"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.config.DictConfigurator({"version": 1}).configure_formatter(dict(config)))
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def test_a_known_secret_is_masked_wherever_it_is(written: io.StringIO) -> None:
    log = logging.getLogger("captures.test")
    log.warning("it was %s", SECRET, extra={"deep": {"list": [SECRET, {"inner": f"x{SECRET}x"}]}, "n": 5})
    try:
        raise ValueError(f"refused {SECRET}")
    except ValueError:
        log.exception("failed")
    structlog.get_logger("captures.test").warning("event", value=SECRET)
    lines = written.getvalue()
    assert SECRET not in lines
    assert lines.count(redaction.MASK) >= 5
    assert '"n": 5' in lines


def test_fields_are_masked_by_their_names(written: io.StringIO) -> None:
    log = logging.getLogger("captures.test")
    log.warning("asked", extra={"token": "abc", "headers": {"Authorization": "x", "Accept": "y"}, "key": "og/a.png"})
    line = written.getvalue()
    assert '"token": "***"' in line
    assert '"Authorization": "***"' in line
    assert '"Accept": "y"' in line
    assert '"key": "og/a.png"' in line


@pytest.mark.django_db
def test_a_link_that_failed_leaves_no_trace_of_itself(written: io.StringIO, valkey: Any) -> None:
    link = "AAAAAAAAAAAAAAAAAAAAAAAAAAA"
    assert request("GET", f"/sign-in?sesame={link}").status == 403
    lines = written.getvalue()
    assert '"path": "/sign-in"' in lines
    assert link not in lines


def test_a_short_setting_is_not_searched_for(written: io.StringIO) -> None:
    logging.getLogger("captures.test").warning("a short word")
    assert "a short word" in written.getvalue()
