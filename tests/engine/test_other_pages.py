"""Pages that were not written for Oven: slow files, streams, workers, sound, counters. Each draws what it should show."""

from __future__ import annotations

import hashlib
import itertools
import math
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image, ImageSequence

from captures.engine.host import EngineHost
from captures.engine.pace.base import navigate
from captures.engine.pace.virtual import VirtualPacer
from captures.engine.spec import CaptureResult, CaptureSpec, Format, Mode, Ready, Start, WarningCode
from tests.engine.other_pages import Server, levels
from tests.harness.sizes import sampled
from tests.timecode import decode


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Server(levels(tmp_path_factory.mktemp("media"))) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.over.set()
        server.shutdown()


Take = Callable[..., CaptureResult]


@pytest.fixture(scope="module")
def taken(host: EngineHost, origin: str, tmp_path_factory: pytest.TempPathFactory) -> Take:
    """`taken("counter", fps=24)`: a capture of a page, by default of 12 frames at 15 a second."""

    def take(page: str, frames: int = 12, fps: float = 15.0, host: EngineHost = host, **fields: Any) -> CaptureResult:
        shape = {"format": Format.WEBP, "width": 512, "height": 128, "quality": 95, "playback_fps": fps}
        shape |= {"network_wait_s": 4.0, "fetch_wait_s": 1.5}
        spec = CaptureSpec(
            url=f"{origin}/{page.replace(' ', '%20')}",
            fps=fps,
            duration_ms=int(frames / fps * 1000),
            wait_for_idle=True,
            **{**shape, **fields},
        )
        found = host.capture(spec, tmp_path_factory.mktemp("capture")).result(90)
        assert found.mode is Mode.VIRTUAL
        return found

    return take


@pytest.fixture(scope="module")
def take(taken: Take) -> Take:
    """Take a capture, or return the one of an earlier test: for tests that look at different things of the same."""
    return cache(taken)


def shown(found: CaptureResult) -> list[Any]:
    with Image.open(found.path) as picture:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]


def times(found: CaptureResult, row: int = 0) -> list[float]:
    """Return what a row of every frame says, in ms."""
    return [decode(frame.crop((0, 20 * row, 512, 20 * row + 16))) for frame in shown(found)]


def steps(values: list[float]) -> list[float]:
    return [round(after - before, 2) for before, after in itertools.pairwise(values)]


def codes(found: CaptureResult) -> list[WarningCode]:
    return [warning.code for warning in found.warnings]


EXACT = {66.6, 66.7}
SHOWN_MS = 1000 / 60  # when an animated image is first shown


# --- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page",
    sampled(["unending", "waits", "events", "poll", "clocks"], ["waits", "events"], "the gate has one of each kind"),
)
def test_no_request_changes_the_clock(take: Take, page: str) -> None:
    found = take(page)
    assert set(steps(times(found))) <= EXACT
    assert set(steps(times(found, 1))) <= EXACT


def test_every_clock_of_the_page_goes_alike(take: Take) -> None:
    found = take("clocks")
    assert set(steps(times(found, 2))) <= {66.0, 67.0}  # Date
    assert set(steps(times(found, 3))) <= {60.0, 70.0}  # an interval of 10 ms


def test_a_clock_that_disagrees_with_the_plan_fails_the_capture(taken: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a second budget, as the engine once gave when it went on without a request, time runs at half speed."""

    def second_budget(self: VirtualPacer) -> str:
        self._set_policy("advance", budget=50.0, maxVirtualTimeTaskStarvationCount=1000)
        return "advance"

    monkeypatch.setattr(VirtualPacer, "_go_on_without", second_budget)
    with pytest.raises(Exception, match=r"The page's clock is .* ms off"):
        taken("waits")


@pytest.mark.parametrize(
    "fps", sampled([7.5, 24.0, 25.0, 30.0, 50.0, 60.0], [25.0, 60.0], "beside and at the screen's rate")
)
def test_there_are_sixty_animation_callbacks_a_second_at_every_rate(take: Take, fps: float) -> None:
    counts = times(take("counter", frames=12, fps=fps), 1)
    assert counts[0] == 45  # at 750 ms: while it loads and settles, too
    assert [round(count - counts[0]) for count in counts] == [round(index * 60 / fps + 1e-9) for index in range(12)]


def test_a_page_that_leaves_for_another_is_followed_at_once(take: Take) -> None:
    found = take("leaves")
    assert (codes(found), found.spans["ready"] < 10_000) == ([], True)
    assert set(steps(times(found))) <= EXACT


def test_a_question_to_a_page_that_leaves_is_asked_again_on_the_next(host: EngineHost, origin: str) -> None:
    """Chromium fails a question that was open when the page left, and says that its target navigated."""
    leaving = "location.pathname !== '/counter' && (location.href = '/counter', new Promise(() => {}))"
    spec = CaptureSpec(url=f"{origin}/still", format=Format.PNG, width=64, height=64)

    async def ask() -> Any:
        async with host.engine._page(True, spec) as (tab, _):
            await navigate(tab)
            return await tab.evaluate(f"{leaving} || 'there'", wait=True)

    assert host._call(ask()).result(20) == "there"


def test_a_page_whose_worker_does_nothing_is_captured(take: Take) -> None:
    found = take("idle worker", frames=2)
    assert (found.still_reason, codes(found)) == ("frozen", [])


@pytest.mark.parametrize("page", ["worker counter", "offscreen"])
def test_a_page_with_workers_has_as_many_callbacks_as_any_other(take: Take, page: str) -> None:
    counts = times(take(page, frames=12, fps=25.0), 1)
    assert counts[0] == 45
    assert [round(count - counts[0]) for count in counts] == [round(index * 2.4 + 1e-9) for index in range(12)]


@pytest.mark.parametrize(
    ("page", "behind"), [("worker", 17), ("script worker", 17), ("shared", 50), ("offscreen", 0)]
)
def test_pages_that_draw_by_way_of_others_are_in_step(take: Take, page: str, behind: int) -> None:
    found = take(page)
    assert found.ready is Ready.IDLE and found.ready_ms <= 800
    if behind:
        own, other = times(found), times(found, 1)
        assert set(steps(own)) <= EXACT
        assert all(0 <= mine - theirs <= behind for mine, theirs in zip(own, other, strict=True))
    else:
        assert set(steps(times(found))) <= EXACT


def test_a_store_is_waited_for_and_what_cannot_be_held_is_a_warning(take: Take) -> None:
    found = take("store")
    assert all(33 <= step <= 100 for step in steps(times(found)))
    assert codes(found) == [WarningCode.TIMING]
    shared = take("shared")
    assert codes(shared) == [WarningCode.TIMING]
    assert "ms apart" in shared.warnings[0].message


def test_a_page_that_gets_no_webgpu_says_so(take: Take) -> None:
    found = take("webgpu", frames=2)
    assert times(found, 1) == [2.0, 2.0]
    assert codes(found) == [WarningCode.NO_WEBGPU]


def test_a_video_is_sought_to_the_moment_of_every_frame(take: Take, taken: Take) -> None:
    found = take("video")
    assert codes(found) == []
    assert set(steps(times(found))) | set(steps(times(found, 1))) <= EXACT
    assert set(times(found, 2)) == {2.0}  # for the page it plays
    pictures = [1000 / 30 * round((frame.getpixel((470, 30))[0] / 1.164) / 3) for frame in shown(found)]
    for picture, position in zip(pictures, times(found, 1), strict=True):
        assert picture <= position + 0.5 < picture + 1000 / 30 + 1
    assert found.path.read_bytes() == taken("video").path.read_bytes()


def test_a_page_seeks_its_playing_video_and_hears_of_it(take: Take) -> None:
    found = take("jumps", frames=15)
    assert codes(found) == []
    positions, events = times(found, 1), times(found, 2)
    assert max(steps(positions)) > 500 and positions[-1] == pytest.approx(2000, abs=1)
    assert sorted(set(events)) == [0.0, 1.0, 11.0]  # its own seek, and the end


def test_a_page_seeks_a_video_that_does_not_play(take: Take) -> None:
    found = take("scrubbed")
    assert codes(found) == []
    assert {step % 1333 for step in map(round, steps(times(found, 1)))} <= {133, 134}  # four pictures a frame


@pytest.mark.parametrize("fps", sampled([7.5, 15.0], [15.0], "the gate has one rate"))
def test_animated_images_move_at_their_own_speed(take: Take, fps: float) -> None:
    found = take("pictures", fps=fps, quality=100)
    for y in (20, 60, 100):
        numbers = [round(frame.getpixel((480, y))[0] / 12) for frame in shown(found)]
        moments = [math.floor((750 - SHOWN_MS + index * 1000 / fps) / 100) for index in range(len(numbers))]
        assert [(b - a) % 20 for a, b in itertools.pairwise(numbers)] == steps([float(m) for m in moments])


def test_what_a_page_plays_is_silent_to_it_and_it_says_so(take: Take) -> None:
    found = take("analyser", frames=2)
    assert (set(times(found, 1)), set(times(found, 2))) == ({0.0}, {128.0})
    assert codes(found) == [WarningCode.NO_SOUND]


def test_colours_of_a_wide_canvas_are_converted(take: Take) -> None:
    found = take("wide colours", frames=1, format=Format.PNG)
    assert shown(found)[0].getpixel((470, 30)) == (200, 100, 50)


def test_sound_runs_without_a_gesture_and_by_the_pages_clock(take: Take) -> None:
    found = take("audio")
    assert set(steps(times(found))) <= EXACT
    assert set(steps(times(found, 1))) <= EXACT


# --- the same in every run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "format_",
    sampled([Format.PNG, Format.WEBP, Format.GIF, Format.MP4], [Format.WEBP, Format.MP4], "GIF and PNG alike"),
)
def test_the_same_page_gives_the_same_bytes(take: Take, taken: Take, format_: Format) -> None:
    runs = [take("soft", format=format_), taken("soft", format=format_)]
    assert len({hashlib.sha256(run.path.read_bytes()).hexdigest() for run in runs}) == 1


@pytest.mark.parametrize(
    "page", sampled(["worker", "bitmap", "midway"], ["worker", "bitmap"], "the gate captures midway below")
)
def test_so_do_pages_that_wait_for_others(take: Take, taken: Take, page: str) -> None:
    one, other = take(page), taken(page)
    assert (one.ready_ms, times(one)) == (other.ready_ms, times(other))
    assert one.path.read_bytes() == other.path.read_bytes()


REPEATED = [
    *("counter", "clocks", "unending", "midway", "worker", "offscreen"),
    *("bitmap", "audio", "intro", "soft", "video", "pictures"),
]


@pytest.mark.exhaustive("the gate repeats some of them in one browser")
@pytest.mark.parametrize("page", REPEATED)
def test_another_browser_gives_the_same_bytes(taken: Take, page: str) -> None:
    formats = (Format.PNG, Format.WEBP, Format.GIF, Format.MP4)
    with EngineHost() as one, EngineHost() as other:
        runs = [
            [taken(page, format=format_, host=host).path.read_bytes() for format_ in formats] for host in (one, other)
        ]
    with EngineHost() as later:
        runs.append([taken(page, format=format_, host=later).path.read_bytes() for format_ in formats])
    assert runs[0] == runs[1] == runs[2]


def test_a_seed_and_a_date_make_chance_the_same(taken: Take) -> None:
    first, second, other = (taken("random", frames=4, seed=seed, date_s=1_767_225_600) for seed in (7, 7, 8))
    assert first.path.read_bytes() == second.path.read_bytes() != other.path.read_bytes()
    assert times(first, 3)[0] == pytest.approx(0.75, abs=0.02)  # seconds since midnight
    free = [times(taken("random", frames=4), 1) for _ in range(2)]
    assert free[0] != free[1]


# --- waiting --------------------------------------------------------------------------------------------------------


SLOW = [(page, ms) for page in ("image", "script") for ms in (500, 1000, 2000, 4000, 8000)]


@pytest.mark.parametrize(
    ("page", "ms"), sampled(SLOW, [("image", 2000), ("script", 2000)], "the gate has one delay of each")
)
def test_a_slow_file_is_waited_for_and_costs_the_page_no_time(take: Take, page: str, ms: int) -> None:
    found = take(f"{page}?{ms}", network_wait_s=15.0)
    assert {frame.getpixel((480, 32)) for frame in shown(found)} <= {
        (0, 0, 254),
        (0, 0, 255),
        (1, 0, 254),
        (1, 0, 255),
    }
    assert found.ready_ms <= 600
    assert codes(found) == []


@pytest.mark.parametrize("page", sampled(["unending", "waits"], ["waits"], "the gate has one of the two"))
def test_what_is_given_up_is_a_warning(take: Take, page: str) -> None:
    found = take(page)
    assert codes(found) == [WarningCode.NOT_LOADED]
    assert found.warnings[0].message.startswith("http://127.0.0.1:")
    assert "did not load within" in found.warnings[0].message


def test_what_is_asked_for_during_the_capture_is_waited_for(take: Take) -> None:
    numbers = times(take("midway", frames=24), 1)
    assert numbers[-1] == 7
    assert sorted(numbers) == numbers


@pytest.mark.parametrize("page", ["events", "poll", "script worker", "shared"])
def test_streams_and_workers_do_not_hold_up_idle(take: Take, page: str) -> None:
    found = take(page)
    assert (found.ready, found.ready_ms <= 800) == (Ready.IDLE, True)


def test_an_intro_is_captured_from_its_first_frame(take: Take) -> None:
    found = take("intro", frames=6, start=Start.LOAD, settle_ms=0)
    assert found.ready is Ready.LOAD
    assert times(found)[0] < 20


SCRIPTS = {"ja": "かな", "zh": "中文", "ko": "한국", "hi": "हन", "th": "กข", "he": "אב", "ar": "دس", "emoji": "😀🎨"}


def test_other_scripts_have_their_own_glyphs(host: EngineHost, tmp_path: Path) -> None:
    """The box of a missing glyph would be the same for two characters. Set-up installs the fonts, where it may."""
    cell = "position:absolute;font:32px sans-serif;width:48px;height:48px;overflow:hidden"
    cells = [
        f"<div style='{cell};left:{48 * column}px;top:{48 * row}px'>{char}</div>"
        for row, chars in enumerate(SCRIPTS.values())
        for column, char in enumerate(chars)
    ]
    page = quote(f"<meta charset=utf-8><body style='margin:0'>{''.join(cells)}")
    spec = CaptureSpec(f"data:text/html,{page}", format=Format.PNG, width=96, height=48 * 8, wait_for_idle=True)
    found = host.capture(spec, tmp_path).result(60)
    with Image.open(found.path) as picture:
        boxes = [(48 * column, 48 * row, 48 * column + 48, 48 * row + 48) for row in range(8) for column in range(2)]
        cut = [picture.convert("RGB").crop(box).tobytes() for box in boxes]
    missing = [name for row, name in enumerate(SCRIPTS) if cut[2 * row] == cut[2 * row + 1]]
    if missing and "Loma" not in subprocess.run(["fc-list"], capture_output=True, text=True, check=False).stdout:
        pytest.skip(f"no fonts here for {', '.join(missing)}")
    assert missing == []


# --- looks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "format_"),
    sampled(
        [(page, format_) for page in ("soft", "star") for format_ in (Format.WEBP, Format.GIF)],
        [("soft", Format.WEBP), ("star", Format.GIF)],
        "each page and format once",
    ),
)
def test_soft_and_tiny_motion_is_kept(take: Take, page: str, format_: Format) -> None:
    found = take(page, format=format_)
    assert (found.still_reason, found.frames) == ("", 12)


def test_what_stands_still_is_a_still_unless_that_is_ruled_out(take: Take) -> None:
    assert take("still").still_reason == "frozen"
    assert take("still", still_allowed=False).still_reason == ""


def test_a_white_page_with_errors_says_so(take: Take) -> None:
    found = take("broken", format=Format.PNG)
    assert set(codes(found)) == {WarningCode.REQUEST_FAILED, WarningCode.PAGE_ERROR}
    assert any("nothing is not defined" in warning.message for warning in found.warnings)
