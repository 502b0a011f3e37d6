"""Pieces that do not move: a still in the format asked for, and a place on the frozen list."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.e2e.stack import Stack, picture


def listed(oven: Stack, piece: str) -> dict[str, Any] | None:
    response = oven.get("/api/frozen")
    assert response.status_code == 200
    entries: list[dict[str, Any]] = response.json()["frozen"]
    times = [entry["lastAttempt"] for entry in entries]
    assert times == sorted(times, reverse=True)
    return next((entry for entry in entries if entry["piece"] == piece), None)


@pytest.mark.parametrize(
    ("piece", "reason", "error"),
    [("still", "frozen", r"frozen, still frame returned"), ("solid", "flat", r"dud, UNIFORM_COLOR:#[0-9a-f]{6}, .*")],
)
def test_check_7_a_piece_that_does_not_move_is_a_still_and_listed_until_taken_off(
    oven: Stack, piece: str, reason: str, error: str
) -> None:
    oven.http.delete(f"/api/frozen/{piece}", headers=oven.bearer)
    path = f"/grab/webp/96/64/{piece}?duration=2000&fps=10"
    first = oven.get(path)
    still = picture(first)
    assert (first.headers["content-type"], still.size) == ("image/webp", (96, 64))
    assert getattr(still, "n_frames", 1) == 1
    assert oven.grab(first.headers["x-grab-id"])["still_reason"] == reason

    entry = oven.until(lambda: listed(oven, piece))
    assert entry["attempts"] == 1
    assert re.fullmatch(error, entry["error"])
    assert entry["firstDetected"] <= entry["lastAttempt"]
    assert picture(oven.get(entry["previewUrl"])).size == (96, 64)

    assert oven.get(path).headers["x-cache"] == "HIT"  # being listed stands in nobody's way
    forced = oven.get(f"{path}&skipCache=true", headers=oven.bearer)
    assert (forced.status_code, forced.headers["x-cache"]) == (200, "MISS")
    entry = oven.until(lambda: found if (found := listed(oven, piece)) and found["attempts"] == 2 else None)
    assert entry["lastAttempt"] > entry["firstDetected"]

    response = oven.http.delete(f"/api/frozen/{piece}", headers=oven.bearer)
    assert (response.status_code, response.json()) == (200, {"success": True, "piece": piece})
    assert listed(oven, piece) is None


def test_a_still_gif_is_a_gif(oven: Stack) -> None:
    response = oven.get("/grab/gif/64/64/still?duration=1000&fps=5")
    image = picture(response)
    assert (image.format, getattr(image, "n_frames", 1)) == ("GIF", 1)
    assert response.headers["content-type"] == "image/gif"


def test_a_png_of_a_still_piece_lists_nothing(oven: Stack) -> None:
    oven.http.delete("/api/frozen/still", headers=oven.bearer)
    assert oven.get("/grab/png/72/72/still").status_code in (200, 302)
    assert listed(oven, "still") is None


def test_a_piece_that_moves_is_not_listed(oven: Stack) -> None:
    assert oven.get("/grab/webp/64/64/anim~moves?duration=1000&fps=5").status_code == 200
    assert listed(oven, "anim~moves") is None


def test_a_piece_that_flashes_between_flat_colours_keeps_its_animation(oven: Stack) -> None:
    image = picture(oven.get("/grab/webp/64/64/mixed-flash?duration=1000&fps=10"))
    assert getattr(image, "n_frames", 1) > 1
    assert listed(oven, "mixed-flash") is None
