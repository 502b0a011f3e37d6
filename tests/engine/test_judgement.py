"""Frozen, flat, black, undrawn: told apart on decoded pixels."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw

from captures.engine.errors import CaptureError, ErrorCode
from captures.engine.look import Look
from captures.engine.spec import CaptureResult, Format
from tests.harness.sizes import sampled

Capture = Callable[..., CaptureResult]


def png(color: tuple[int, ...], dots: list[tuple[int, int]] = [], side: int = 512) -> bytes:  # noqa: B006
    image = Image.new("RGB" if len(color) == 3 else "RGBA", (side, side), color)
    for x, y in dots:
        ImageDraw.Draw(image).point((x, y), fill="white")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def look(*frames: bytes) -> Look:
    found = Look()
    for frame in frames:
        found.feed(frame)
    return found


def test_equal_frames_are_frozen_and_one_frame_never_is() -> None:
    assert look(png((1, 2, 90), [(9, 9)] * 3), png((1, 2, 90), [(9, 9)] * 3)).frozen
    assert not look(png((1, 2, 90))).frozen


def test_one_pixel_that_blinks_is_an_animation() -> None:
    assert not look(png((0, 0, 0)), png((0, 0, 0), [(40, 40)])).frozen


def test_flat_means_flat_in_every_frame_and_across_time() -> None:
    assert look(png((90, 90, 90)), png((93, 90, 90))).flat
    assert not look(png((255, 0, 0)), png((0, 0, 255))).flat
    assert not look(png((0, 0, 0), [(40, 40)]), png((0, 0, 0))).flat


def test_black_is_marked_and_counted_and_clear_is_not_black() -> None:
    assert look(png((0, 0, 0)), png((3, 3, 3))).blank
    half = look(png((0, 0, 0)), png((200, 0, 0)))
    assert (half.blank, half.blank_frames) == (False, 1)
    assert look(png((0, 0, 0, 0))).maybe_undrawn


@pytest.mark.parametrize("format_", sampled([Format.WEBP, Format.GIF], [Format.GIF], "test_other_pages.py has WebP"))
def test_a_static_piece_yields_a_still(capture: Capture, format_: Format) -> None:
    found = capture("still", format=format_)
    assert (found.still_reason, found.frames) == ("frozen", 1)
    with Image.open(found.path) as picture:
        assert getattr(picture, "n_frames", 1) == 1


def test_a_drifting_flat_colour_yields_a_still_and_its_colour(capture: Capture) -> None:
    found = capture("solid")
    assert found.still_reason == "flat"
    assert len(found.flat_color) == 7 and found.flat_color.startswith("#")


def test_a_blinking_pixel_in_a_real_piece_is_an_animation(capture: Capture) -> None:
    assert capture("dot", width=512, height=512).still_reason == ""


@pytest.mark.exhaustive("test_other_pages.py rules one out")
def test_a_still_may_be_ruled_out(capture: Capture) -> None:
    found = capture("still", still_allowed=False)
    assert (found.still_reason, found.frames) == ("", 10)


@pytest.mark.exhaustive("test_black_frames_keep_their_place flashes, too")
def test_flashing_between_colours_is_an_animation(capture: Capture) -> None:
    found = capture("mixed-flash")
    assert (found.still_reason, found.frames) == ("", 10)


def test_black_frames_keep_their_place(capture: Capture) -> None:
    found = capture("black-flash", fps=20.0)
    assert found.frames == 20
    assert 0 < found.blank_frames < 20
    assert not found.blank


def test_an_all_black_piece_is_a_result_and_marked(capture: Capture) -> None:
    assert capture("black", format=Format.PNG).blank


@pytest.mark.parametrize("transparent", sampled([False, True], [True], "tests/e2e/test_bad_pieces.py has the other"))
def test_a_page_that_never_draws_fails(capture: Capture, transparent: bool) -> None:
    with pytest.raises(CaptureError) as failure:
        capture("bad-blank", transparent=transparent)
    assert failure.value.code is ErrorCode.BLANK


def test_a_page_that_throws_keeps_its_errors(capture: Capture) -> None:
    with pytest.raises(CaptureError) as failure:
        capture("bad-throw", ready_limit_ms=1000)
    assert failure.value.code is ErrorCode.BLANK
    assert failure.value.evidence["page_errors"]
    assert failure.value.evidence["console_errors"]


@pytest.mark.parametrize(("page", "status"), [("bad-404", 404), ("bad-500", 500)])
def test_an_error_page_is_no_picture(capture: Capture, page: str, status: int) -> None:
    with pytest.raises(CaptureError) as failure:
        capture(page)
    assert failure.value.code is ErrorCode.HTTP_STATUS
    assert failure.value.evidence["status"] == status
    assert str(status) in failure.value.message
