from __future__ import annotations

import pytest

from captures.engine.cards.similar import distinct, similarity
from captures.engine.cards.spec import Piece, short_count
from pieces.serve import kidlisp

LONG = "(repeat 10 i (circle (* i 20) (+ h/2 (* 30 (sin (/ frame 9)))) 12))"


def test_case_and_spacing_make_no_difference() -> None:
    assert similarity("Wipe   NAVY\n\n ink gold", " wipe navy ink gold ") == 1.0


def test_similarity_is_the_share_of_common_groups_of_three() -> None:
    # abcdefghij has 8 groups, the other one 8 as well; abc to fgh, 6 of them, are common: 6 of 10
    assert similarity("abcdefghij", "abcdefghxy") == 6 / 10


def test_very_short_ones_are_equal_or_nothing_alike() -> None:
    assert similarity("wipe red", "wipe red") == 1.0
    assert similarity("wipe red", "wipe reds") == 0.0


def test_the_first_of_near_duplicates_is_kept() -> None:
    first, copy = Piece("first", 9, LONG), Piece("copy", 8, LONG.replace("12))", "13))"))
    other = Piece("other", 7, "wipe white, ink black, (repeat 30 i (line 0 (* i 9) w (* i 7)))")
    assert similarity(first.source, copy.source) >= 0.9
    assert [piece.code for piece in distinct([first, copy, other], 10)] == ["first", "other"]


def test_pieces_without_much_source_are_never_compared() -> None:
    pieces = [
        Piece("a", source=""),
        Piece("b", source=""),
        Piece("c", source="wipe red"),
        Piece("d", source="wipe red"),
    ]
    assert distinct(pieces, 10) == pieces


def test_no_more_are_looked_at_than_are_wanted() -> None:
    taken = distinct((Piece(str(number)) for number in iter(int, 1)), 3)  # a list without an end
    assert len(taken) == 3


def test_the_demo_site_has_one_near_duplicate_and_enough_for_a_mosaic() -> None:
    pieces = [Piece(entry["code"], source=entry["source"]) for entry in kidlisp().values()]
    kept = {piece.code for piece in distinct(pieces, 40)}
    assert {piece.code for piece in pieces} - kept == {"ebb"}
    assert len(kept) >= 16


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (4634, "4.6k"), (9940, "9.9k"), (10_000, "10k"), (123_456, "123k")],
)
def test_plays_are_shown_short(count: int, text: str) -> None:
    assert short_count(count) == text
    assert Piece("x", count).plays == f"{text} plays"


def test_a_byline_has_what_there_is() -> None:
    assert Piece("roz", 1, handle="@rosa").byline == "$roz · 1 play · @rosa"
    assert Piece("roz", 4634).byline == "$roz · 4.6k plays"
