from __future__ import annotations

import pytest
from PIL import Image, ImageDraw

from captures.engine.cards.faces import FONTS, Face, covers, font
from captures.engine.cards.text import DOTS, MISSING, Style, clean, draw, fit, runs, shrink, width

MONO, BRAND = Style(Face.MONO, 20), Style(Face.BRAND, 42)
SAMPLES = {
    "latin": "Ångström ½ “quoted” – é ß ł",
    "greek and cyrillic": "λ Ω π Привет",
    "signs": "♯ ♭ ∑ → ≠ ★ ☂ ✓ ©",
    "emoji": "🙂 🎆 🦊 👩 ❤",
    "chinese": "漢字 汉字 龘",
    "japanese": "ひらがな カタカナ 花火",
    "korean": "한글 뷁",
    "hebrew": "שלום",
}


def ink(name: str, char: str) -> bytes:
    return bytes(font(name, 40).getmask(char))


@pytest.mark.parametrize("face", list(Face))
@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_every_character_is_drawn_by_a_font_that_has_it(face: Face, sample: str) -> None:
    for name, part in runs(sample, face):
        missing = ink(name, "\U000e0fff")
        for char in part.replace(" ", ""):
            assert ink(name, char) != missing, f"{char} ({ord(char):x}) by {name}"


def test_all_that_is_not_there_becomes_one_visible_sign() -> None:
    [(name, part)] = runs("\U00012000\U00012001", Face.MONO)  # cuneiform
    assert part == MISSING * 2
    assert ink(name, MISSING) != ink(name, "\U000e0fff")


def test_a_font_is_asked_for_its_own_characters_only() -> None:
    assert covers("JetBrainsMono-Regular", "a") and not covers("JetBrainsMono-Regular", "漢")
    assert covers("NotoEmoji-Medium", "🙂") and not covers("NotoEmoji-Medium", "a")
    assert covers("DroidSansFallback", "한") and not covers("DroidSansFallback", "𓀀")


def test_every_font_has_its_licence_beside_it() -> None:
    families = {path.stem.split("-")[0] for path in FONTS.glob("*.ttf")}
    assert families == {path.name.removesuffix("-LICENSE.txt") for path in FONTS.glob("*-LICENSE.txt")}
    assert {name for face in Face for name in face.value} == {path.stem for path in FONTS.glob("*.ttf")}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\tb", "a  b"),
        ("two\r\nlines", "two  lines"),
        ("nul\0 bell\a esc\x1b[31m", "nul bell esc[31m"),
        ("\u202ereversed\u202c", "reversed"),
        ("👩\u200d👩\u200d👧 👍🏽 ❤\ufe0f", "👩👩👧 👍 ❤"),
        ("z̷̧̢a̴l͟g͜o" + "\u0335" * 50, "zalgo"),
        ("e\u0301", "é"),
        ("\ud800 half", " half"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),  # text is only ever drawn
    ],
)
def test_what_means_nothing_in_a_picture_is_left_out(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_a_text_of_any_length_is_cut_before_anything_else() -> None:
    assert len(clean("x" * 10_000_000)) == 200


@pytest.mark.parametrize("style", [MONO, BRAND])
@pytest.mark.parametrize("text", ["a long line of text " * 9, "花火" * 60, "🎆" * 90, "W" * 300])
def test_a_text_is_cut_to_its_place_with_dots(style: Style, text: str) -> None:
    cut = fit(text, style, 300)
    assert cut.endswith(DOTS) and text.startswith(cut[:-1])
    assert 300 - 2 * style.size < width(cut, style) <= 300


def test_a_text_that_fits_stays_whole() -> None:
    assert fit("short", MONO, 300) == "short"
    assert fit("", MONO, 0) == ""


def test_a_style_shrinks_as_far_as_it_must_and_no_farther() -> None:
    assert shrink("short", MONO, 300, 10) == MONO
    assert shrink("x" * 40, MONO, 300, 10).size == 12
    assert shrink("x" * 400, MONO, 300, 10).size == 10


@pytest.mark.parametrize(("align", "left", "right"), [("left", 100, 160), ("middle", 70, 130), ("right", 40, 100)])
def test_a_text_stands_on_its_baseline_where_it_is_put(align: str, left: int, right: int) -> None:
    picture = Image.new("L", (200, 60))
    end = draw(ImageDraw.Draw(picture), (100, 40), "EEEEE", MONO, "white", align)
    box = picture.getbbox()
    assert box is not None and abs(end - right) <= 1
    assert abs(box[0] - left) <= 3 and abs(box[2] - right) <= 3
    assert box[3] == 40


def test_letter_spacing_is_between_the_letters() -> None:
    spaced = Style(Face.MONO, 20, spacing=10)
    assert width("abc", spaced) == width("abc", MONO) + 20
    picture = Image.new("L", (200, 60))
    assert draw(ImageDraw.Draw(picture), (10, 40), "abc", spaced, "white") == 10 + width("abc", spaced)
