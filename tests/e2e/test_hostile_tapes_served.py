"""Hostile tapes through the whole service: each ends failed with its own code, and the site hears the sentence."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.bakes.engine.corpus import HOSTILE
from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack
from tests.site_server import Handler, Site

LARGEST_MB = 4  # the service fetches tapes up to here; larger ones are the engine's own tests
WITHIN_S = 10


@pytest.fixture(scope="module")
def bakery(site: HeldSite, callers: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    env = {"OVEN_TAPE_ORIGINS": callers.origin, "OVEN_CALLBACK_ORIGINS": callers.origin}
    env |= {"OVEN_CALLBACK_SECRET": "shared", "OVEN_TAPE_MAX_MB": "8", "OVEN_TAPE_DOWNLOAD_S": "4"}
    data = tmp_path_factory.mktemp("hostile") / "data"
    with Stack(data, site.origin, kinds=("bake",), OVEN_RETRY_BASE_S="0.2", OVEN_MAX_ATTEMPTS="1", **env) as stack:
        yield stack


@pytest.mark.exhaustive("tests/bakes has every tape and every source, test_bakes.py tells the site of a failure")
def test_every_hostile_tape_ends_failed_and_the_site_hears_why(bakery: Stack, callers: Site, tmp_path: Path) -> None:
    wanted = {}
    for name, hostile in HOSTILE.items():
        hostile.build(tmp_path / "tape.zip")
        if (tmp_path / "tape.zip").stat().st_size > LARGEST_MB << 20:
            continue
        code = name.replace("_", "-")[:64]
        wanted[code] = str(hostile.code)
        callers.pages[f"/tapes/{code}.zip"] = (tmp_path / "tape.zip").read_bytes()
        answer = bakery.http.post("/bake", json=callers.wish(code, f"/tapes/{code}.zip"))
        assert answer.status_code == 200
    assert len(wanted) > 60
    heard = _told(bakery, callers, set(wanted))
    rows = {row["code"]: row for row in bakery.rows("select * from bakes_bake")}
    assert {code: rows[code]["error_code"] for code in wanted} == wanted
    assert {rows[code]["state"] for code in wanted} == {"failed"}
    for code in wanted:
        assert heard[code] == rows[code]["error_message"]
        assert "Traceback" not in heard[code]
    assert not list((bakery.data / "scratch").glob("*"))
    assert not list((bakery.data / "files" / "blobs").glob("**/*.mp4"))


def _told(bakery: Stack, callers: Site, codes: set[str]) -> dict[str, str]:
    def all_of_them() -> dict[str, str] | None:
        heard = {message.json["code"]: message.json.get("error", "") for message in list(callers.received)}
        return heard if codes <= set(heard) else None

    return bakery.until(all_of_them, 120)  # type: ignore[no-any-return]


def _endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b"PK\x03\x04" * 16384)
    handler.close_connection = True


def _trickling(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(200):
            handler.wfile.write(b"PK")
            time.sleep(0.1)
    handler.close_connection = True


SOURCES: dict[str, tuple[Any, str]] = {
    "endless": (_endless, "tape_too_large"),
    "trickling": (_trickling, "tape_too_slow"),
    "inward": (lambda handler: handler.answer(302, Location="http://127.0.0.1:9/"), "tape_unknown_origin"),
    "metadata-host": (lambda handler: handler.answer(302, Location="http://169.254.169.254/"), "tape_unknown_origin"),
    "in-circles": (lambda handler: handler.answer(302, Location=handler.path), "tape_redirects"),
    "forbidden": (lambda handler: handler.answer(403), "tape_http_status"),
}


@pytest.mark.exhaustive("tests/bakes has every tape and every source, test_bakes.py tells the site of a failure")
@pytest.mark.parametrize(
    "name",
    list(SOURCES),
)
def test_a_hostile_source_ends_failed_within_its_bound(bakery: Stack, callers: Site, name: str) -> None:
    behaviour, code = SOURCES[name]
    callers.pages[f"/{name}.zip"] = behaviour
    started = time.monotonic()
    assert bakery.http.post("/bake", json=callers.wish(name, f"/{name}.zip")).status_code == 200
    most = 0
    while not callers.of(name):
        assert time.monotonic() - started < WITHIN_S
        most = max(most, _growth_mb(bakery))
        time.sleep(0.02)
    [row] = bakery.rows("select * from bakes_bake where code = ?", name)
    assert (row["state"], row["error_code"]) == ("failed", code)
    assert callers.of(name)[0].json["error"] == row["error_message"]
    assert most < 64
    assert not list((bakery.data / "scratch").glob("*"))


def _growth_mb(bakery: Stack) -> int:
    """What the process that bakes holds above the idle worker it was forked from."""
    most = 0
    for worker in bakery.children("bake_worker"):
        with contextlib.suppress(psutil.Error):
            idle = worker.memory_info().rss
            for horse in worker.children():
                most = max(most, (horse.memory_info().rss - idle) >> 20)
    return most
