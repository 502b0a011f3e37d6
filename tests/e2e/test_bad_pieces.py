"""Pieces that misbehave: each ends within its bound, by a named failure or a good picture, and harms nobody after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack, picture
from tests.harness.sizes import sampled

LIMIT_S = 60
PICTURE = "a picture"

# What may become of each, besides the picture where it can still draw one.
OUTCOMES: dict[str, set[str]] = {
    "bad-loop-first": {"hung"},
    "bad-loop-later": {"hung", PICTURE},
    "bad-busy": {PICTURE},
    "bad-hog": {"memory", "crashed"},
    "bad-stuck": {PICTURE},
    "bad-alert": {PICTURE},
    "bad-download": {PICTURE},
    "bad-popup": {PICTURE},
    "bad-blank": {"blank"},
    "bad-throw": {"blank"},
    "bad-reload": {PICTURE, "blank", "hung"},
    "bad-pingpong": {PICTURE, "blank", "hung"},
    "bad-print": {PICTURE},
    "bad-redirect": {"redirects"},
    "bad-404": {"http_status"},
    "bad-500": {"http_status"},
    "bad-hang": {"unreachable"},
    "bad-slow-body": {"blank", "hung", PICTURE},
    "bad-drop": {"unreachable"},
    "loop": {"hung"},
}
# "bad-busy" is the injected clock of tests/engine/test_modes.py, and "bad-hang" its request that never answers; "bad-popup"
# and "bad-alert" are refused alike. The tests below capture "bad-throw" and "bad-404", test_faults.py "bad-drop".
ALIKE = {
    "bad-hang",
    "bad-busy",
    "bad-popup",
    "bad-reload",
    "bad-loop-later",
    "bad-hog",
    "bad-stuck",
    "bad-pingpong",
    "bad-print",
    "bad-404",
    "bad-500",
    "bad-throw",
    "bad-drop",
    "bad-slow-body",
    "loop",
}


@pytest.fixture(scope="module")
def lone(site: HeldSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One worker, so that what comes after a bad piece comes to the same one."""
    data = tmp_path_factory.mktemp("lone") / "data"
    limits = {"OVEN_STEP_LIMIT_S": "2", "OVEN_READY_LIMIT_MS": "2500", "OVEN_MAX_ATTEMPTS": "1"}
    with Stack(data, site.origin, workers=1, kinds=("capture",), **limits) as stack:
        yield stack


def outcome(lone: Stack, response: httpx.Response) -> str:
    if response.status_code == 200:
        return PICTURE
    assert response.status_code == 500, response.text
    body = response.json()
    assert body["error"] and body["grabId"]
    row = lone.grab(body["grabId"])
    assert (row["state"], row["error_code"], row["error_message"]) == ("failed", body["code"], body["error"])
    return str(body["code"])


def seconds(row: dict[str, str]) -> float:
    return (datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["started_at"])).total_seconds()


@pytest.mark.parametrize(
    "piece",
    sampled(list(OUTCOMES), [name for name in OUTCOMES if name not in ALIKE], "another in the gate ends alike"),
)
def test_a_bad_piece_ends_in_time_and_the_next_grab_is_good(lone: Stack, piece: str) -> None:
    workers = {process.pid for process in lone.children("capture_worker")}
    response = lone.get(f"/grab/webp/128/128/{piece}?duration=1000&fps=5")
    public_id = response.headers.get("x-grab-id") or response.json()["grabId"]
    became = outcome(lone, response)
    attempt = lone.attempts(public_id)[-1]
    lone.until(lambda: lone.attempts(public_id)[-1]["ended_at"], 5)
    took = seconds(lone.attempts(public_id)[-1])
    print(f"{piece}: {became} after {took:.1f} s ({attempt['error_message'] or lone.grab(public_id)['mode']})")
    assert became in OUTCOMES[piece]
    assert took <= LIMIT_S
    if became == PICTURE:
        assert picture(response).size == (128, 128)
    elif attempt["last_frame"]:
        assert picture(lone.get(f"/files/art/{attempt['last_frame']}")).size == (128, 128)

    after = lone.get(f"/grab/webp/64/64/anim~after-{piece}?duration=1000&fps=5")
    assert getattr(picture(after), "n_frames", 1) == 5
    row = lone.grab(after.headers["x-grab-id"])
    assert (row["attempt"], row["mode"]) == (1, "virtual")
    assert {process.pid for process in lone.children("capture_worker")} == workers
    lone.until(lambda: len(lone.browsers()) <= 1 and len(lone.pages()) <= 1, 10)


def test_the_attempt_keeps_what_the_page_said(lone: Stack) -> None:
    response = lone.get("/grab/png/128/128/bad-throw")
    attempt = lone.attempts(response.json()["grabId"])[0]
    assert (attempt["outcome"], attempt["error_code"]) == ("failed", "blank")
    assert attempt["evidence"]["status"] == 200
    assert any("bad-throw: broken at load" in text for text in attempt["evidence"]["page_errors"])
    assert any("bad-throw: nothing to draw" in text for text in attempt["evidence"]["console_errors"])
    assert "failed: blank" in attempt["log"]


@pytest.mark.parametrize("status", sampled([404, 500], [404], "the gate has one of the two"))
def test_the_attempt_keeps_the_http_status_and_a_last_frame(lone: Stack, status: int) -> None:
    response = lone.get(f"/grab/png/128/128/bad-{status}")
    assert str(status) in response.json()["error"]
    attempt = lone.attempts(response.json()["grabId"])[0]
    assert attempt["evidence"]["status"] == status
    assert any(f"HTTP {status}" in text for text in attempt["evidence"]["failed_requests"])
    assert attempt["last_frame"]
    last = picture(lone.get(f"/files/art/{attempt['last_frame']}"))
    assert last.size == (128, 128)


def test_the_log_of_an_attempt_says_how_it_went(lone: Stack) -> None:
    response = lone.get("/grab/webp/64/64/anim~log?duration=1000&fps=5")
    attempt = lone.attempts(response.headers["x-grab-id"])[0]
    assert attempt["outcome"] == "complete"
    assert all(text in attempt["log"] for text in ("Attempt 1 of 1", "loading", "capturing", "virtual mode"))
    assert attempt["evidence"]["status"] == 200


def test_nothing_was_left_in_scratch(lone: Stack) -> None:
    started = time.monotonic()
    lone.until(lambda: not list((lone.data / "scratch").glob("*")), 10)
    print(f"scratch empty after {time.monotonic() - started:.1f} s")
