"""Tapes become videos through the whole service, and a real local site hears of it."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from playwright.sync_api import Browser, expect
from standardwebhooks.webhooks import Webhook

from tests.bakes.tapes import probe, sound_file, write_tape
from tests.e2e.held_site import HeldSite
from tests.e2e.live_pages import Screens
from tests.e2e.stack import ROOT, Stack, free_port
from tests.site_server import Handler, Site

SECRET = "shared"
# Keep the markup of every card that a bake has while it runs, however short that is.
REMEMBER_CARDS = """() => {
  window.shown = [];
  new MutationObserver(() => {
    for (const card of document.querySelectorAll("#now-list > li")) shown.push(card.outerHTML);
  }).observe(document.querySelector("#now-list"), { subtree: true, childList: true, attributes: true, characterData: true });
}"""


@pytest.fixture(scope="module")
def receiver_port() -> int:
    """Where the receiver of the documents will listen."""
    return free_port()


@pytest.fixture(scope="module")
def bakery(
    site: HeldSite, callers: Site, receiver_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """An Oven that bakes for `callers`, and for the receiver of the documents."""
    origins = f"{callers.origin},http://127.0.0.1:{receiver_port}"
    env = {"OVEN_TAPE_ORIGINS": origins, "OVEN_CALLBACK_ORIGINS": origins}
    env |= {"OVEN_CALLBACK_SECRET": SECRET, "OVEN_CALLBACK_DELAYS_S": "0.5,0.5,0.5", "OVEN_CALLBACK_WAIT_S": "3"}
    data = tmp_path_factory.mktemp("bakery") / "data"
    with Stack(data, site.origin, kinds=("bake",), OVEN_RETRY_BASE_S="0.2", **env) as stack:
        yield stack


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Two seconds of 128 by 96 with stereo sound."""
    path = tmp_path_factory.mktemp("tapes") / "tape.zip"
    write_tape(path, frames=120, size=(128, 96), sound_s=2.0)
    return path.read_bytes()


def row(bakery: Stack, code: str) -> dict[str, Any]:
    return bakery.rows("select * from bakes_bake where code = ? order by id desc", code)[0]


def bake(bakery: Stack, callers: Site, code: str, tape: bytes | Any, path: str = "", **fields: Any) -> None:
    path = path or f"/tapes/{code}.zip"
    callers.pages[path] = tape
    answer = bakery.http.post("/bake", json=callers.wish(code, path, **fields))
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")


def told(bakery: Stack, callers: Site, code: str, limit_s: float = 60) -> dict[str, Any]:
    """The callback's body."""
    return bakery.until(lambda: callers.of(code), limit_s, 0.05)[-1].json  # type: ignore[no-any-return]


def scratch_is_empty(bakery: Stack) -> bool:
    return not list((bakery.data / "scratch").glob("*"))


def test_a_tape_is_baked_and_the_site_hears_of_it(bakery: Stack, callers: Site, tape: bytes, tmp_path: Path) -> None:
    started = time.monotonic()
    bake(bakery, callers, "first", tape, "/auth0|65a/2026.11.24.zip")
    assert time.monotonic() - started < 1
    message = told(bakery, callers, "first")
    assert set(message) == {"mongoId", "slug", "code", "secret", "mp4Url", "thumbnailUrl"}
    assert message["secret"] == SECRET
    assert message["mp4Url"].endswith("tapes/first.mp4")
    assert message["thumbnailUrl"].endswith("tapes/first-thumb.jpg")
    for url in (message["mp4Url"], message["thumbnailUrl"]):
        assert bakery.get(url).status_code == 200
    found = probe(bakery.file("tapes/first.mp4", "blobs"))
    assert (found.width, found.height, found.frames) == (384, 288, 120)
    assert found.video_s == pytest.approx(2.0, abs=0.02)
    assert found.sound_s == pytest.approx(2.0, abs=0.02)
    bakery.until(lambda: row(bakery, "first")["site"] == "done")
    assert scratch_is_empty(bakery)


def test_the_published_package_verifies_the_callback(bakery: Stack, callers: Site, tape: bytes) -> None:
    bake(bakery, callers, "signed", tape)
    told(bakery, callers, "signed")
    received = callers.of("signed")[0]
    key = base64.b64encode(SECRET.encode()).decode()
    assert Webhook(key).verify(received.body, received.headers)


def test_a_tape_that_is_not_there_is_told_as_an_error(bakery: Stack, callers: Site) -> None:
    bake(bakery, callers, "missing", lambda handler: handler.answer(404))
    message = told(bakery, callers, "missing")
    assert "mp4Url" not in message
    assert message["error"] == "The tape could not be fetched: The server answered HTTP 404."
    assert (row(bakery, "missing")["state"], row(bakery, "missing")["error_code"]) == ("failed", "tape_http_status")
    assert scratch_is_empty(bakery)


def test_the_site_may_report_before_it_answers(bakery: Stack, callers: Site, tape: bytes) -> None:
    """No deadlock, however long its answer takes; and the bake is through at once."""
    seen: list[Any] = []

    def reports(handler: Handler) -> None:
        started = time.monotonic()
        for path, body in (
            ("/bake-status", {"code": "early", "status": "syncing", "details": "Saving"}),
            ("/bake-complete", {"code": "early", "slug": "s", "success": True}),
        ):
            seen.append(bakery.http.post(path, json=body).json())
            state = bakery.get("/status").json()
            seen.append([record["status"] for record in state["active"] if record["code"] == "early"])
            seen.append(state["recent"][0]["code"])
        seen.append(time.monotonic() - started)
        handler.answer(200)

    callers.answers = [reports]
    bake(bakery, callers, "early", tape)
    bakery.until(lambda: len(seen) == 7, 60)
    assert [seen[0], seen[1], seen[3], seen[4], seen[5]] == [
        {"status": "ok"},
        ["syncing"],
        {"status": "ok"},
        [],
        "early",
    ]
    assert seen[6] < 4
    assert bakery.get("/status").json()["recent"][0]["success"] is True


@pytest.mark.exhaustive("tests/bakes/test_delivering.py tries again after every kind of answer")
def test_a_callback_that_fails_and_hangs_arrives_in_the_end(bakery: Stack, callers: Site, tape: bytes) -> None:
    callers.answers = [500, 500, lambda handler: time.sleep(4)]
    bake(bakery, callers, "stubborn", tape)
    bakery.until(lambda: row(bakery, "stubborn")["site"] == "done", 60)
    assert len(callers.of("stubborn")) == 4
    [delivery] = bakery.rows("select * from bakes_delivery where bake_id = ?", row(bakery, "stubborn")["id"])
    statuses = [attempt["evidence"].get("status") for attempt in bakery.attempts(delivery["public_id"])]
    assert statuses == [500, 500, None, 200]


@pytest.mark.exhaustive("tests/bakes has the alert and the replay")
def test_an_alert_when_nobody_takes_it_and_a_replay_in_the_admin(bakery: Stack, callers: Site, tape: bytes) -> None:
    callers.answers = [503] * 4
    bake(bakery, callers, "lost", tape)
    bakery.until(lambda: row(bakery, "lost")["site"] == "undelivered", 60)
    assert row(bakery, "lost")["state"] == "complete"
    logs = [entry["msg"] for entry in _snapshot(bakery)["log"]]
    assert any("lost: baked, but the site was not told" in text for text in logs)
    form = {"action": "replay", "_selected_action": str(row(bakery, "lost")["id"])}
    assert bakery.staff().post("/admin/bakes/bake/", data=form).status_code == 200
    bakery.until(lambda: row(bakery, "lost")["site"] == "done", 20)
    assert len(callers.of("lost")) == 5


def _snapshot(bakery: Stack) -> dict[str, Any]:
    return bakery.staff().get("/live/state").json()  # type: ignore[no-any-return]


@pytest.mark.exhaustive("tests/bakes/test_jobs.py has both cases")
def test_the_newest_of_a_tape_wins(bakery: Stack, callers: Site, tape: bytes, tmp_path: Path) -> None:
    write_tape(tmp_path / "long.zip", frames=600, size=(200, 200))
    bake(bakery, callers, "twice", (tmp_path / "long.zip").read_bytes(), "/tapes/long.zip")
    bakery.until(lambda: row(bakery, "twice")["state"] == "running", 20, 0.05)
    bake(bakery, callers, "twice", tape)
    told(bakery, callers, "twice")
    time.sleep(1.0)
    assert [message.json.get("error") for message in callers.of("twice")] == [None]
    assert probe(bakery.file("tapes/twice.mp4", "blobs")).frames == 120
    states = [
        found["state"] for found in bakery.rows("select state from bakes_bake where code = 'twice' order by id")
    ]
    assert states == ["cancelled", "complete"]


@pytest.mark.exhaustive("tests/chaos has many at once")
def test_many_at_once_are_all_baked_two_at_a_time(bakery: Stack, callers: Site, tape: bytes, full_size: bool) -> None:
    codes = [f"many{number}" for number in range(20 if full_size else 4)]
    times = []
    for code in codes:
        started = time.monotonic()
        bake(bakery, callers, code, tape)
        times.append(time.monotonic() - started)
    most = 0

    def done() -> bool:
        nonlocal most
        most = max(most, len(bakery.rows("select id from bakes_bake where state = 'running'")))
        return all(callers.of(code) for code in codes)

    bakery.until(done, 120)
    assert most == 2
    assert {row(bakery, code)["state"] for code in codes} == {"complete"}
    print(f"POST /bake: p95 {sorted(times)[len(times) * 9 // 10] * 1000:.0f} ms")


def test_a_running_bake_can_be_cancelled(bakery: Stack, callers: Site, tmp_path: Path) -> None:
    write_tape(tmp_path / "long.zip", frames=1500, size=(200, 200))
    staff = bakery.staff()
    bake(bakery, callers, "unwanted", (tmp_path / "long.zip").read_bytes())
    bakery.until(lambda: row(bakery, "unwanted")["stage"] == "processing", 30, 0.05)
    started = time.monotonic()
    assert staff.post(f"/live/job/{row(bakery, 'unwanted')['public_id']}/cancel").status_code == 200
    bakery.until(lambda: row(bakery, "unwanted")["state"] == "cancelled", 5, 0.05)
    assert time.monotonic() - started < 4
    assert told(bakery, callers, "unwanted")["error"] == "The bake was cancelled."
    bakery.until(lambda: scratch_is_empty(bakery), 5)


@pytest.mark.exhaustive("test_live_page.py follows a grab; tests/browser shows rows of every kind")
def test_the_live_page_shows_a_bake_from_its_announcement_to_its_video(
    bakery: Stack, callers: Site, tmp_path: Path, chromium: Browser
) -> None:
    """And the page of the bake in the admin plays it as well."""
    write_tape(tmp_path / "long.zip", frames=600, size=(160, 160))
    with Screens(bakery, chromium) as screens:
        page = screens.open()
        page.evaluate(REMEMBER_CARDS)
        assert bakery.post("/bake-incoming", {"code": "shown", "slug": "s"}).status_code == 200
        expect(page.locator("#next-incoming")).to_contain_text("shown", timeout=10_000)
        bake(bakery, callers, "shown", (tmp_path / "long.zip").read_bytes())
        done = page.locator("#done-list > li", has_text="shown")
        expect(done).to_contain_text("480×480", timeout=60_000)
        running = "\n".join(page.evaluate("shown"))
        assert 'src="data:image/jpeg' in running
        assert "Making the video" in running
        assert re.search(r"frame [\d,]+ of 600, \d+ s left", running)
        expect(page.locator("#next-incoming")).to_be_hidden()
        done.locator("button.play").click()
        playing = "document.querySelector('#done-list video')?.currentTime ?? 0"
        bakery.until(lambda: page.evaluate(playing) > 0.3, 15)

        page.goto(f"{bakery.base}/admin/bakes/bake/{row(bakery, 'shown')['id']}/change/")
        player = page.locator("video.oven-player")
        player.evaluate("video => { video.muted = true; video.play() }")
        bakery.until(lambda: player.evaluate("video => video.currentTime") > 0.5, 15)
        state = player.evaluate(
            "video => { const shown = video.getVideoPlaybackQuality();"
            " return [video.error, video.videoWidth, video.videoHeight, shown.corruptedVideoFrames,"
            " shown.totalVideoFrames > 5] }"
        )
        assert state == [None, 480, 480, 0, True]
        assert page.locator(".oven-tries").inner_text().count("200") >= 1


def test_the_receiver_of_the_documents_works(bakery: Stack, receiver_port: int, tape: bytes, tmp_path: Path) -> None:
    """As a site would run it."""
    (tmp_path / "example.zip").write_bytes(tape)
    command = [sys.executable, str(ROOT / "docs" / "examples" / "site_receiver.py"), str(tmp_path / "example.zip")]
    command += ["--oven", bakery.base, "--secret", SECRET, "--port", str(receiver_port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "'status': 'accepted'" in done.stdout
    assert probe(tmp_path / "example.mp4").frames == 120
    assert (tmp_path / "example-thumb.jpg").read_bytes().startswith(b"\xff\xd8")


# --- the command line -----------------------------------------------------------------------------------------------


def manage(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *map(str, arguments)]
    clean = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return subprocess.run(
        command, cwd=ROOT, env={**clean, **env}, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_piece_is_recorded_and_baked_by_commands(site: HeldSite, tmp_path: Path, settings: Any) -> None:
    """In this process, which costs no start of Python: a test below runs one from a shell."""
    settings.OVEN_PIECE_ORIGIN = site.origin
    sound_file(tmp_path / "tone.wav", 1.0)
    tape, video = tmp_path / "orbit.zip", tmp_path / "orbit.mp4"
    options = ["--seconds", 0.5, "--width", 128, "--height", 128, "--sound", tmp_path / "tone.wav"]
    said = io.StringIO()
    call_command("record", "orbit", "-o", tape, *options, stdout=said)
    assert "30 frames of 128×128 and a soundtrack" in said.getvalue()
    call_command("bake", tape, "-o", video, "--thumbnail", tmp_path / "orbit.jpg", stdout=said)
    found = probe(video)
    assert (found.width, found.height, found.frames) == (384, 384, 30)
    assert found.video_s == pytest.approx(0.5, abs=0.02)
    assert (tmp_path / "orbit.jpg").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["record", "orbit", "-o", "x.zip", "--seconds", "0"], "--seconds"),
        (["record", "orbit", "-o", "x.zip", "--width", "5"], "width: 5 is not within"),
        (["record", "orbit", "-o", "x.zip", "--sound", "no.wav"], "no.wav: there is no such file."),
    ],
)
def test_a_wrong_word_on_the_command_line_is_explained(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)):
        call_command(*arguments)


def test_a_broken_tape_is_explained(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"<html>")
    with pytest.raises(CommandError, match=re.escape("(not_a_zip)")):
        call_command("bake", tmp_path / "bad.zip", "-o", tmp_path / "x.mp4")
    assert not (tmp_path / "x.mp4").exists()


def test_a_wrong_command_ends_with_one_line_and_1(tmp_path: Path) -> None:
    done = manage("bake", "nowhere.zip", "-o", "x.mp4", OVEN_DATA=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "nowhere.zip: there is no such file." in done.stderr
    assert "Traceback" not in done.stderr


def test_the_video_may_be_asked_for_in_parts(bakery: Stack, callers: Site, tape: bytes) -> None:
    bake(bakery, callers, "parts", tape)
    url = told(bakery, callers, "parts")["mp4Url"]
    answer = bakery.get(url, headers={"Range": "bytes=0-99"})
    assert (answer.status_code, len(answer.content)) == (206, 100)
    assert bakery.get(url).headers["cache-control"] == "public, max-age=60"
