from __future__ import annotations

import io
import itertools
from pathlib import Path

import pytest
from django.conf import settings
from PIL import Image, ImageChops, ImageStat

from captures.engine.cards.brand import Chance
from captures.engine.cards.compose import Unreadable, compose, frames_of, pieces_of, shot_of
from captures.engine.cards.layouts import code_split, filmstrip, notepat
from captures.engine.cards.spec import SIZE, Layout, Piece, Shown
from tests.harness.sizes import sampled

COMPOSED = [layout for layout in Layout if layout is not Layout.BACKDROP]
ODD_NAMES = ["roz", "♯" * 8, "🎆花火한글" * 9, "<b>&amp;\"'", "x" * 500, "\u202e\0\n", ""]


def tile(color: str, size: tuple[int, int] = (300, 158)) -> Image.Image:
    return Image.new("RGB", size, color)


def shown(code: str = "roz", color: str = "teal", source: str = "wipe teal", frames: int = 5) -> Shown:
    return Shown(Piece(code, 4634, source, "@rosa"), [tile(color)] * frames)


def card(layout: Layout, *pieces: Shown) -> Image.Image:
    picture = Image.open(io.BytesIO(compose(layout, pieces)))
    picture.load()
    return picture


def close(found: object, wanted: tuple[int, int, int], by: int = 3) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, wanted, strict=True))  # type: ignore[call-overload]


@pytest.mark.parametrize("layout", COMPOSED)
def test_a_card_is_an_opaque_png_of_1200_by_630(layout: Layout) -> None:
    picture = card(layout, shown())
    assert (picture.format, picture.size, picture.mode) == ("PNG", (1200, 630), "RGB")


@pytest.mark.parametrize("layout", COMPOSED)
def test_the_same_pieces_make_the_same_bytes(layout: Layout) -> None:
    pieces = [shown("roz"), shown("bloom", "navy")]
    assert compose(layout, pieces) == compose(layout, pieces)


@pytest.mark.parametrize(
    ("layout", "name"),
    sampled(
        list(itertools.product(COMPOSED, ODD_NAMES)),
        list(zip(itertools.cycle(COMPOSED), ODD_NAMES, strict=False)),
        "the gate has every layout and every name",
    ),
)
def test_no_name_breaks_a_layout(layout: Layout, name: str) -> None:
    odd = Shown(Piece(name, 10**12, f"{name}\n" * 40, name), [tile("teal")])
    assert card(layout, odd).size == SIZE


@pytest.mark.parametrize("size", [(1, 1), (2000, 10), (10, 2000)])
def test_a_capture_of_any_shape_covers_its_place(size: tuple[int, int]) -> None:
    picture = card(Layout.FEATURED, Shown(Piece("roz"), [tile("teal", size)]))
    assert {picture.getpixel(at) for at in ((0, 0), (1199, 0), (600, 300))} == {(0, 128, 128)}


def test_transparent_captures_lie_on_black() -> None:
    picture = card(Layout.FEATURED, Shown(Piece("roz"), [Image.new("RGBA", (10, 10), (255, 255, 255, 0))]))
    assert picture.getpixel((600, 300)) == (0, 0, 0)


# --- each layout's own facts ----------------------------------------------------------------------------------------


def test_the_featured_card_darkens_towards_its_foot() -> None:
    picture = card(Layout.FEATURED, shown(color="white"))
    column = [picture.getpixel((600, y)) for y in (529, 580, 629)]
    assert column[0] == (255, 255, 255)
    assert close(column[1], (146, 146, 146), 4)
    assert close(column[2], (38, 38, 38), 2)  # 85 % black


def test_the_mosaic_has_its_pieces_in_rows_of_four_darkened() -> None:
    pieces = [shown(f"p{index}", "white" if index % 2 else "black") for index in range(16)]
    picture = card(Layout.MOSAIC, *pieces)
    corner = picture.crop((0, 596, 300, 630)), picture.crop((330, 596, 570, 630))
    assert ImageStat.Stat(corner[0].convert("L")).median[0] < 10
    assert close((ImageStat.Stat(corner[1].convert("L")).median[0],), (166,), 3)  # type: ignore[arg-type]


def test_fewer_pieces_are_repeated_in_the_mosaic() -> None:
    one, many = card(Layout.MOSAIC, shown()), card(Layout.MOSAIC, *[shown()] * 16)
    assert ImageChops.difference(one, many).getbbox() is not None  # the codes differ, by their seed
    assert abs(ImageStat.Stat(one.convert("L")).mean[0] - ImageStat.Stat(many.convert("L")).mean[0]) < 4


def test_a_mosaic_of_no_pieces_is_what_is_shown_before_there_is_a_card() -> None:
    path = Path(settings.BASE_DIR) / "static" / "oven" / "cards" / "kidlisp.png"
    assert ImageChops.difference(Image.open(path), card(Layout.MOSAIC)).getbbox() is None


def test_chance_is_the_same_for_the_same_codes() -> None:
    def drawn(codes: list[str]) -> list[float]:
        chance = Chance(codes)
        return [chance(-1, 1) for _ in range(100)]

    assert drawn(["roz", "tide"]) == drawn(["roz", "tide"]) != drawn(["roz"])
    assert -1 <= min(drawn(["roz"])) < -0.8 and 0.8 < max(drawn(["roz"])) <= 1


def test_the_filmstrip_shows_its_moments_from_left_to_right() -> None:
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255)]
    frames = [Image.new("RGB", (400, 400), color) for color in colors]
    picture = card(Layout.FILMSTRIP, Shown(Piece("roz"), frames))
    assert [picture.getpixel((160 + 220 * index, 280)) for index in range(5)] == colors
    assert picture.getpixel((59, 280)) == picture.getpixel((60 + 200, 280)) == (255, 255, 255)
    assert picture.getpixel((5, 5)) == filmstrip.GROUND


def test_a_still_fills_the_whole_filmstrip() -> None:
    picture = card(Layout.FILMSTRIP, shown(color="teal", frames=1))
    assert {picture.getpixel((160 + 220 * index, 280)) for index in range(5)} == {(0, 128, 128)}


def test_the_code_card_shows_twelve_lines_and_says_when_there_are_more() -> None:
    assert code_split.code_lines("\n".join(map(str, range(12)))) == [str(line) for line in range(12)]
    assert code_split.code_lines("\n".join(map(str, range(13))))[-2:] == ["11", "..."]
    assert len(code_split.code_lines("")) == 3  # an example


def test_the_code_card_keeps_long_lines_out_of_the_picture() -> None:
    long = card(Layout.CODE_SPLIT, shown(source="w" * 400))
    assert long.crop((500, 0, 525, 560)).getcolors() == [(25 * 560, code_split.GROUND)]
    assert long.getpixel((527, 27)) == code_split.BORDER_COLOR
    assert long.getpixel((529 + 300, 29 + 225)) == (0, 128, 128)


def test_the_pads_of_notepat_have_their_notes_colours() -> None:
    picture = card(Layout.NOTEPAT)
    for octave, left in enumerate(notepat.LEFTS):
        for index, color in enumerate(notepat.NOTES.values()):
            row, column = divmod(index, 4)
            at = left + column * 100 + 20, 60 + row * 140 + 60
            wanted = tuple(round(0.92 * min(255, part + 40 * octave)) for part in color)
            assert close(picture.getpixel(at), wanted, 12), (octave, index)


def test_layouts_say_what_they_need() -> None:
    assert {layout: pieces_of(layout) for layout in Layout} == {
        Layout.MOSAIC: 16,
        Layout.FEATURED: 1,
        Layout.FILMSTRIP: 1,
        Layout.CODE_SPLIT: 1,
        Layout.NOTEPAT: 0,
        Layout.BACKDROP: 1,
    }
    strip = shot_of(Layout.FILMSTRIP)
    assert strip is not None and (strip.at_ms, strip.frames, strip.every_ms) == (2000, 5, 800)
    assert shot_of(Layout.NOTEPAT) is None


# --- files ----------------------------------------------------------------------------------------------------------


def test_the_frames_of_an_animation_come_in_order_and_no_more_than_wanted() -> None:
    file = io.BytesIO()
    frames = [tile("red"), tile("lime"), tile("blue")]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    found = frames_of(file, 2)
    assert [frame.getpixel((5, 5))[:3] for frame in found] == [(255, 0, 0), (0, 255, 0)]  # type: ignore[index]


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(50), b"RIFF\0\0\0\0WEBPVP8 "])
def test_a_file_that_is_no_picture_is_told_apart(data: bytes) -> None:
    with pytest.raises(Unreadable):
        frames_of(io.BytesIO(data), 1)
