"""The grabs contract's acceptance checks 1 to 10 (the numbers are the contract's)."""

from __future__ import annotations

import re
import time
from typing import Any

import numpy as np
import pytest

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack, frames, picture
from tests.harness.sizes import sampled

QUERY = "tv=true&nolabel=true&nogap=true&spoofaudio=true"
ORIGIN = {"Origin": "https://aesthetic.computer"}


def rows_of(oven: Stack) -> int:
    return int(oven.rows("select count(*) as n from captures_grab")[0]["n"])


# --- 1: validation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "piece"),
        ({"piece": ""}, "piece"),
        ({"piece": 7}, "piece"),
        ({"piece": "example.com"}, "piece"),
        ({"piece": "foo.io"}, "piece"),
        ({"piece": "http://x"}, "piece"),
        ({"piece": "anim", "format": "bmp"}, "format"),
        ({"piece": "anim", "width": 31}, "width"),
        ({"piece": "anim", "height": 1001}, "height"),
        ({"piece": "anim", "duration": 30_001}, "duration"),
        ({"piece": "anim", "fps": 61}, "fps"),
        ({"piece": "anim", "duration": 20_000, "fps": 31}, "fps"),
        ({"piece": "anim", "density": 9}, "density"),
        ({"piece": "anim", "width": 1000, "height": 1000, "density": 4.1}, "density"),
        ({"piece": "anim", "quality": 0}, "quality"),
    ],
)
def test_check_1_a_wrong_field_is_named_and_nothing_is_recorded(oven: Stack, body: Any, field: str) -> None:
    before = rows_of(oven)
    response = oven.post("/grab", body)
    assert response.status_code == 400, response.text
    assert response.json()["field"] == field
    assert response.json()["error"].startswith(f"{field}: ")
    assert rows_of(oven) == before


def test_check_1_a_web_page_is_refused_to_the_public(oven: Stack) -> None:
    before = rows_of(oven)
    assert oven.get("/grab/png/64/64/https%3A%2F%2Fx").status_code == 400
    assert rows_of(oven) == before


def test_check_1_the_smallest_and_the_largest_side_pass(oven: Stack) -> None:
    assert picture(oven.get("/grab/png/32/1000/still")).size == (32, 1000)


def test_a_size_that_is_no_number_is_512(oven: Stack) -> None:
    assert picture(oven.get("/grab/png/wide/64/still")).size == (512, 64)


# --- 2, 3, 4: the cache ---------------------------------------------------------------------------------------------


def test_check_2_and_3_a_still_is_captured_once_and_kept(oven: Stack, site: HeldSite) -> None:
    first = oven.get("/grab/png/128/128/anim")
    assert picture(first).size == (128, 128)
    assert (first.headers["content-type"], first.headers["x-cache"]) == ("image/png", "MISS")
    assert "max-age=3600" in first.headers["cache-control"]
    assert "x-grab-duration" not in first.headers
    public_id = first.headers["x-grab-id"]
    assert re.fullmatch(r"anim-[0-9a-f]{8}", public_id)
    assert site.count(f"/anim?density=1&{QUERY}") >= 1
    assert not [path for _, path in site.requests if path.startswith("/anim?") and not path.endswith(QUERY)]
    assert oven.file(f"oven/grabs/{public_id}.png").read_bytes() == first.content

    captured = site.count("/anim?")
    again = oven.get("/grab/png/128/128/anim")
    assert (again.status_code, again.headers["x-cache"]) == (302, "HIT")
    assert again.headers["location"].endswith(f"/oven/grabs/{public_id}.png")
    proxied = oven.get("/grab/png/128/128/anim", headers=ORIGIN)
    assert (proxied.content, proxied.headers["x-proxy"]) == (first.content, "CDN")
    assert site.count("/anim?") == captured


def test_check_4_skipping_the_cache_makes_a_new_one_which_then_serves(oven: Stack) -> None:
    path = "/grab/png/96/96/anim~force"
    first = oven.get(path)
    assert oven.get(f"{path}?skipCache=true").status_code == 401
    forced = oven.get(f"{path}?skipCache=true", headers=oven.bearer)
    assert (forced.status_code, forced.headers["x-cache"]) == (200, "MISS")
    assert forced.headers["x-grab-id"] != first.headers["x-grab-id"]
    plain = oven.get(path)
    assert (plain.status_code, plain.headers["x-grab-id"]) == (302, forced.headers["x-grab-id"])
    old = oven.grab(first.headers["x-grab-id"])
    assert old["state"] == "complete"


def test_check_4_a_failure_is_not_cached(oven: Stack, site: HeldSite) -> None:
    path = "/grab/png/96/96/anim~failed-first"
    with site.answering("anim~failed-first", 500):
        failed = oven.get(path)
    assert failed.status_code == 500
    assert failed.json()["code"] == "http_status"
    assert oven.grab(failed.json()["grabId"])["state"] == "failed"
    assert oven.get(path).headers["x-cache"] == "MISS"
    assert oven.get(path).headers["x-cache"] == "HIT"


def test_what_shapes_the_picture_tells_captures_apart(oven: Stack) -> None:
    queries = ["duration=1000&fps=2", "duration=1500&fps=2", "duration=1000&fps=3", "duration=1000&fps=2&quality=50"]
    answers = [oven.get(f"/grab/webp/64/64/anim~shape?{query}") for query in queries]
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS"] * len(queries)
    assert [len(frames(answer)) for answer in answers] == [2, 3, 3, 2]


def test_the_rate_of_a_still_does_not_tell_captures_apart(oven: Stack) -> None:
    first = oven.get("/grab/png/64/64/anim~still?duration=1000")
    assert (first.status_code, first.headers["x-cache"]) == (200, "MISS")
    assert oven.get("/grab/png/64/64/anim~still?duration=2000&fps=9").headers["x-cache"] == "HIT"


# --- 5, 6: formats --------------------------------------------------------------------------------------------------


def test_check_5_a_webp_plays_at_fifteen_frames_a_second_for_ever(oven: Stack) -> None:
    response = oven.post("/grab", {"piece": "anim", "width": 96, "height": 96, "duration": 2000, "fps": 5})
    image = picture(response)
    assert (response.headers["content-type"], image.size) == ("image/webp", (96, 96))
    assert int(response.headers["x-grab-duration"]) > 0
    assert image.info["loop"] == 0
    durations = [ms for _, ms in frames(response)]
    assert len(durations) == 10
    assert all(66 <= ms <= 68 for ms in durations)


def test_check_6_a_gif_has_the_density_s_size_and_right_colours_to_the_end(oven: Stack, site: HeldSite) -> None:
    query = "density=2&duration=1000&fps=4&quality=100"
    response = oven.get(f"/grab/gif/96/96/palette~gif?{query}")
    assert response.headers["content-type"] == "image/gif"
    image = picture(response)
    assert (image.format, image.size, image.info["loop"]) == ("GIF", (192, 192), 0)
    assert site.count(f"/palette~gif?density=2&{QUERY}") == 1
    gif = frames(response)
    webp = frames(oven.get(f"/grab/webp/96/96/palette~gif?{query}"))
    assert len(gif) == len(webp) == 4
    for (frame, _), (wanted, _) in zip(gif, webp, strict=True):
        difference = np.abs(np.asarray(frame, float) - np.asarray(wanted, float)).mean()
        assert difference < 12, difference
    first, *others = (np.asarray(frame, float) for frame, _ in gif)
    assert max(np.abs(first - other).mean() for other in others) > 40  # its colours do change


def test_the_rate_is_not_cut_to_whole_frames(oven: Stack) -> None:
    assert len(frames(oven.get("/grab/webp/64/64/anim~rate?duration=2000"))) == 15  # 7.5 a second
    assert len(frames(oven.get("/grab/webp/64/64/anim~rate?duration=2000&fps=2.5"))) == 5


def test_an_mp4_is_made_too(oven: Stack) -> None:
    response = oven.get("/grab/mp4/64/64/anim~mp4?duration=1000&fps=5")
    assert (response.status_code, response.headers["content-type"]) == (200, "video/mp4")
    assert response.content[4:8] == b"ftyp"


# --- 7: black (frozen and flat pieces have a file of their own) -----------------------------------------------------


def test_check_7_a_black_piece_is_a_picture_marked_as_such(oven: Stack) -> None:
    response = oven.get("/grab/png/64/64/black")
    assert picture(response).convert("RGB").getextrema() == ((0, 0), (0, 0), (0, 0))
    row = oven.grab(response.headers["x-grab-id"])
    assert (row["state"], row["blank"]) == ("complete", 1)


# --- 8: limits (what hangs is in test_bad_pieces) -------------------------------------------------------------------


def test_check_8_a_piece_that_never_says_ready_is_captured_at_the_limit(oven: Stack) -> None:
    started = time.monotonic()
    response = oven.get("/grab/png/64/64/never")
    print(f"never: {time.monotonic() - started:.1f} s")
    picture(response)
    row = oven.grab(response.headers["x-grab-id"])
    assert (row["ready"], row["mode"]) == ("limit", "virtual")
    assert 9_900 <= row["ready_ms"] <= 10_500  # of the page's own time, which runs faster than ours
    assert time.monotonic() - started < 30


# --- 9, 10: many at once --------------------------------------------------------------------------------------------


def test_check_9_no_more_run_than_there_are_workers_and_a_keep_goes_first(
    oven: Stack, site: HeldSite, full_size: bool
) -> None:
    count = 10 if full_size else 6
    waiting = count - 2
    with site.holding("anim~many"):
        answers = [oven.later(f"/grab/png/64/64/anim~many{n}") for n in range(count)]
        oven.until(lambda: oven.status()["concurrency"] == {"active": 2, "max": 2, "queueDepth": waiting})
        body = {"piece": "anim~many-keep", "format": "png", "width": 64, "height": 64, "source": "keep"}
        keep = oven.threads.submit(oven.post, "/grab", body)
        status = oven.until(lambda: found if len((found := oven.status())["queue"]) == waiting + 1 else None)
    queue = status["queue"]
    assert status["concurrency"] == {"active": 2, "max": 2, "queueDepth": waiting + 1}
    assert [item["position"] for item in queue] == list(range(1, waiting + 2))
    assert queue[0]["piece"] == "anim~many-keep"
    assert set(queue[0]) >= {"position", "piece", "format", "addedAt", "estimatedWait"}
    one = queue[0]["estimatedWait"]
    assert [item["estimatedWait"] for item in queue] == [one * (1 + number // 2) for number in range(waiting + 1)]
    assert len(status["active"]) == count + 1

    peak = 0
    while not all(answer.done() for answer in [*answers, keep]):
        found = oven.rows("select count(*) as n from captures_grab where state = 'running'")[0]["n"]
        peak = max(peak, found)
        time.sleep(0.05)
    assert peak == 2
    assert all(picture(answer.result()).size == (64, 64) for answer in [*answers, keep])
    order = oven.rows("select piece from captures_grab where piece like 'anim~many%' order by started_at")
    # Both workers become free at once: it is one of the two that start next.
    assert [row["piece"] for row in order].index("anim~many-keep") in (2, 3)


def test_the_keep_lane_needs_a_token(oven: Stack) -> None:
    assert oven.get("/grab/png/64/64/anim~keep?source=keep").status_code == 401


def test_posting_a_grab_needs_a_token(oven: Stack) -> None:
    response = oven.http.post("/grab", json={"piece": "anim"})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    bad = oven.http.post("/grab", json={"piece": "anim"}, headers={"Authorization": "Bearer nonsense"})
    assert bad.status_code == 401


@pytest.mark.parametrize(
    "form", sampled(["webp", "gif", "png"], ["webp"], "tests/captures/test_placeholder.py has every format")
)
def test_check_10_equal_requests_share_one_capture_and_nowait_gets_a_stand_in(
    oven: Stack, site: HeldSite, form: str
) -> None:
    path = f"/grab/{form}/100/80/anim~twin-{form}?duration=1000&fps=4"
    with site.holding(f"anim~twin-{form}"):
        twins = [oven.later(path), oven.later(path)]
        oven.until(lambda: oven.running(f"anim~twin-{form}"))
        stand_in = oven.get(f"{path}&nowait=true")
    first, second = (twin.result(60) for twin in twins)
    assert picture(stand_in).size == (100, 80)
    assert picture(stand_in).format == form.upper()  # its bytes are what its type says
    assert stand_in.headers["content-type"] == f"image/{form}"
    assert stand_in.headers["x-oven-status"] == "baking"
    assert {"x-queue-position", "x-estimated-wait", "x-grab-id"} <= set(stand_in.headers)
    assert "no-store" in stand_in.headers["cache-control"]
    assert picture(first).size == (100, 80)
    assert (first.content, first.headers["x-grab-id"]) == (second.content, second.headers["x-grab-id"])
    assert site.count(f"/anim~twin-{form}?") == 1
