"""Many at once: equal requests share a capture, different ones all finish, and there is an end to waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.e2e.held_site import HeldSite
from tests.e2e.stack import Stack, picture


@pytest.fixture(scope="module")
def narrow(site: HeldSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One worker, little patience, a short queue."""
    data = tmp_path_factory.mktemp("narrow") / "data"
    with Stack(data, site.origin, workers=1, kinds=("capture",), OVEN_WAIT_S="2", OVEN_QUEUE_CEILING="3") as stack:
        yield stack


@pytest.mark.exhaustive("test_icons.py asks for one icon forty times at once")
def test_twenty_equal_requests_at_once_are_one_capture(oven: Stack, site: HeldSite) -> None:
    started = time.monotonic()
    asked = [oven.later("/grab/webp/128/128/anim~same?duration=2000&fps=10") for _ in range(20)]
    answers = [answer.result(90) for answer in asked]
    print(f"20 equal: {time.monotonic() - started:.1f} s")
    assert site.count("/anim~same?") == 1
    assert {answer.headers["x-grab-id"] for answer in answers} == {answers[0].headers["x-grab-id"]}
    for answer in answers:  # one that came after the end was sent to the stored file
        bytes_ = answer if answer.status_code == 200 else oven.get(answer.headers["location"])
        assert picture(bytes_).size == (128, 128)
    rows = oven.rows("select attempt, state from captures_grab where piece = 'anim~same'")
    assert rows == [{"attempt": 1, "state": "complete"}]


@pytest.mark.exhaustive("check 9 of test_grabs.py has six at once on two workers")
def test_many_different_requests_at_once_all_finish(oven: Stack, site: HeldSite) -> None:
    count = 20
    started = time.monotonic()
    asked = [oven.later(f"/grab/png/96/96/anim~unlike-{n}") for n in range(count)]
    answers = [answer.result(120) for answer in asked]
    print(f"{count} different: {time.monotonic() - started:.1f} s")
    assert all(picture(answer).size == (96, 96) for answer in answers)
    assert len({answer.headers["x-grab-id"] for answer in answers}) == count
    assert all(site.count(f"/anim~unlike-{n}?") == 1 for n in range(count))
    assert (
        len({row["worker"] for row in oven.rows("select worker from captures_grab where piece like 'anim~unlike%'")})
        == 2
    )


@pytest.mark.exhaustive("tests/captures and tests/oven/jobs have the queue, waiting and its limits")
def test_nowait_tells_the_position_in_the_queue(narrow: Stack, site: HeldSite) -> None:
    with site.holding("anim~line"):
        asked = [narrow.later("/grab/png/80/60/anim~line0")]
        narrow.until(lambda: narrow.running("anim~line0"))
        for n in (1, 2):
            asked.append(narrow.later(f"/grab/png/80/60/anim~line{n}"))
            narrow.until(lambda: len(narrow.status()["queue"]) == n)  # noqa: B023 - called at once
        stand_ins = [narrow.get(f"/grab/png/80/60/anim~line{n}?nowait=true") for n in range(3)]
    assert [stand_in.headers["x-queue-position"] for stand_in in stand_ins] == ["0", "1", "2"]
    assert all(picture(stand_in).size == (80, 60) for stand_in in stand_ins)
    waits = [int(stand_in.headers["x-estimated-wait"]) for stand_in in stand_ins]
    assert waits[0] == 5000
    assert waits[2] == 2 * waits[1]
    for answer in asked:
        answer.result(30)
    narrow.until(lambda: not narrow.status()["active"])


@pytest.mark.exhaustive("tests/captures and tests/oven/jobs have the queue, waiting and its limits")
def test_the_first_nowait_request_waits_like_any_other(narrow: Stack) -> None:
    first = narrow.get("/grab/png/64/64/anim~first?nowait=true")
    assert "x-oven-status" not in first.headers
    assert first.headers["x-cache"] == "MISS"
    assert picture(first).size == (64, 64)


@pytest.mark.exhaustive("tests/captures and tests/oven/jobs have the queue, waiting and its limits")
def test_a_request_gives_up_in_time_while_its_grab_goes_on(narrow: Stack, site: HeldSite) -> None:
    path = "/grab/png/64/64/anim~late"
    with site.holding("anim~late"):
        started = time.monotonic()
        gave_up = narrow.get(path)
        took = time.monotonic() - started
        print(f"gave up after {took:.2f} s of 2 s")
        assert gave_up.status_code == 504
        body = gave_up.json()
        assert body["error"]
        job = narrow.get(body["statusUrl"])
        assert (job.status_code, job.json()["id"], job.json()["state"]) == (200, body["grabId"], "running")
    assert 1.9 <= took < 15
    narrow.until(lambda: narrow.grab(body["grabId"])["state"] == "complete")
    assert narrow.get(path).headers["x-grab-id"] == body["grabId"]
    assert site.count("/anim~late?") == 1


@pytest.mark.exhaustive("tests/captures and tests/oven/jobs have the queue, waiting and its limits")
def test_above_its_ceiling_the_queue_refuses_new_captures_only(narrow: Stack, site: HeldSite) -> None:
    cached = narrow.get("/grab/png/64/64/anim~cached-before")
    with site.holding("anim~full"):
        asked = [narrow.later("/grab/png/64/64/anim~full0")]
        narrow.until(lambda: narrow.running("anim~full0"))
        asked += [narrow.later(f"/grab/png/64/64/anim~full{n}") for n in (1, 2, 3)]
        narrow.until(lambda: len(narrow.status()["queue"]) == 3)

        refused = narrow.get("/grab/png/64/64/anim~full4")
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert refused.json()["error"]
        posted = narrow.post("/grab", {"piece": "anim~full4", "format": "png"})
        assert posted.status_code == 503

        assert narrow.get("/grab/png/64/64/anim~full3").status_code == 504  # joins the one that waits
        again = narrow.get("/grab/png/64/64/anim~cached-before")
        assert (again.status_code, again.headers["x-grab-id"]) == (302, cached.headers["x-grab-id"])
    ids = [answer.result(30).json()["grabId"] for answer in asked]
    narrow.until(lambda: all(narrow.grab(public_id)["state"] == "complete" for public_id in ids), 60)
    assert not narrow.rows("select * from captures_grab where piece = 'anim~full4'")
