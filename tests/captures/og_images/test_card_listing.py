"""The site's list of pieces is not ours: whatever it says, only what can be a piece comes of it."""

from __future__ import annotations

import json
import time
from datetime import date
from typing import Any

import pytest

from captures.engine.cards.compose import shot_of
from captures.engine.cards.spec import Layout, Piece, Shot
from captures.engine.spec import Format
from captures.og_images.listing import ListError, parse, top_pieces
from captures.og_images.planning import choices, wish_of
from oven.egress.client import background
from tests.captures.og_images.conftest import items
from tests.site_server import Handler, hang


def listed(pieces: Any, limit: int = 40) -> list[str]:
    return [piece.code for piece in parse(json.dumps({"media": {"kidlisp": pieces}}).encode(), limit)]


def fetched(layout: Layout = Layout.MOSAIC) -> list[Piece]:
    return background(top_pieces(layout)).result(30)


def trouble(call: Any) -> ListError:
    with pytest.raises(ListError) as caught:
        call()
    return caught.value


# --- what a list may say --------------------------------------------------------------------------------------------


def test_a_good_list_is_taken_in_its_order() -> None:
    [piece] = parse(json.dumps({"media": {"kidlisp": items(1)}}).encode(), 5)
    assert (piece.code, piece.hits, piece.handle, len(piece.source)) == ("p0", 9000, "@ada", 60)
    assert listed(items(5)) == ["p0", "p1", "p2", "p3", "p4"]


@pytest.mark.parametrize(
    "code",
    [
        *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a&b", "a?b=c", "a#b", "a\\b", "a%2Fb"),
        *(
            "../../etc/passwd",
            "a..b",
            "evil.com",
            "sundarakarma",
            "",
            "  ",
            "$",
            "a\nb",
            "a\0b",
            "\u202eabc",
            "x" * 61,
        ),
        *(None, 7, True, ["a"], {"a": 1}),
    ],
)
def test_what_cannot_be_a_name_is_passed_over(code: Any) -> None:
    assert listed([{"code": code, "hits": 1}, *items(1)]) == ["p0"]


@pytest.mark.parametrize("item", [None, 7, "roz", [], {}, {"hits": 3}, [["code", "roz"]]])
def test_what_is_no_item_is_passed_over(item: Any) -> None:
    assert listed([item, *items(1)]) == ["p0"]


def test_a_sigil_is_not_part_of_the_code_and_a_name_counts_once() -> None:
    assert listed([{"code": "$roz"}, {"code": "roz"}, {"code": "花火"}]) == ["roz", "花火"]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"hits": "many"}, Piece("a")),
        ({"hits": -5}, Piece("a")),
        ({"hits": 10**30}, Piece("a", 10**12)),
        ({"hits": 1.5, "source": 7, "owner": "ada"}, Piece("a")),
        ({"owner": {"handle": ["@ada"]}}, Piece("a")),
        ({"owner": {"handle": "@a\u202e\0" + "x" * 900}}, Piece("a", handle="@a" + "x" * 38)),
    ],
)
def test_fields_that_are_wrong_are_left_out(fields: dict[str, Any], found: Piece) -> None:
    assert parse(json.dumps({"media": {"kidlisp": [{"code": "a", **fields}]}}).encode(), 5) == [found]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"media": []}',
        b'{"media": {"kidlisp": {}}}',
        b"\xff\xfe",
        b"[" * 200_000,
    ],
)
def test_an_answer_of_another_form_is_broken(answer: bytes) -> None:
    assert trouble(lambda: parse(answer, 40)).code == "list_broken"


@pytest.mark.parametrize("pieces", [[], [{}], [{"code": "<b>"}] * 50])
def test_a_list_without_a_piece_is_empty(pieces: Any) -> None:
    assert trouble(lambda: listed(pieces)).code == "list_empty"


def test_of_ten_thousand_only_as_many_as_are_wanted_and_soon() -> None:
    started = time.monotonic()
    assert len(listed([{"code": "<b>"}] * 9000 + items(1000))) == 40
    assert time.monotonic() - started < 2


# --- where it comes from --------------------------------------------------------------------------------------------


def test_it_is_asked_for_as_the_site_answers_it(site: Any) -> None:
    assert len(fetched()) == 20
    assert len(fetched(Layout.BACKDROP)) == 20
    assert site.fetched == [f"/api/tv?types=kidlisp&sort=hits&limit={limit}" for limit in (40, 50)]


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_error_of_the_site_is_named(site: Any, status: int) -> None:
    site.answers_list(lambda handler: handler.answer(status))
    problem = trouble(fetched)
    assert (problem.code, problem.retry) == ("list_http_status", status >= 500)
    assert str(status) in problem.message


def test_a_silent_site_is_not_waited_for(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("captures.og_images.listing.SILENCE_S", 0.3)
    site.answers_list(hang(3))
    assert trouble(fetched).code == "list_too_slow"


def test_a_site_that_trickles_is_not_waited_for(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("captures.og_images.listing.LIST_S", 0.5)

    def trickle(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(30):
            handler.wfile.write(b" ")
            time.sleep(0.1)

    site.answers_list(trickle)
    assert trouble(fetched).code == "list_too_slow"


def test_a_list_without_end_is_cut_off(site: Any) -> None:
    def flood(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(2000):
            handler.wfile.write(b" " * 65536)

    site.answers_list(flood)
    assert trouble(fetched).code == "list_too_large"


def test_a_list_does_not_lead_anywhere_else(site: Any) -> None:
    site.answers_list(lambda handler: handler.answer(302, Location="http://169.254.169.254/latest"))
    assert trouble(fetched).code == "list_unknown_origin"


def test_nobody_there(site: Any, settings: Any) -> None:
    settings.OVEN_CARD_LIST_URL = "http://127.0.0.1:9/list?limit={limit}"
    problem = trouble(fetched)
    assert (problem.code, problem.retry) == ("list_unreachable", True)


# --- what is chosen from it -----------------------------------------------------------------------------------------

PIECES = [Piece(f"p{index}", handle="@ada" if index % 3 else "@Jeffrey") for index in range(20)]


def test_a_mosaic_takes_the_first_sixteen() -> None:
    assert choices(Layout.MOSAIC, PIECES, date(2026, 1, 1)) == [PIECES[:16]]
    assert choices(Layout.MOSAIC, PIECES[:3], date(2026, 1, 1)) == [PIECES[:3]]


@pytest.mark.parametrize(("day", "first"), [(date(2026, 1, 1), 1), (date(2026, 1, 10), 0), (date(2026, 12, 31), 5)])
def test_the_piece_of_the_day_is_one_of_the_first_ten_and_others_stand_by(day: date, first: int) -> None:
    tries = choices(Layout.FEATURED, PIECES, day)
    assert [chosen[0].code for chosen in tries] == [f"p{(first + turn) % 10}" for turn in range(3)]


def test_a_short_list_has_a_piece_of_the_day_as_well() -> None:
    assert choices(Layout.FILMSTRIP, PIECES[:2], date(2026, 1, 1)) == [[PIECES[1]], [PIECES[0]]]


def test_the_backdrop_is_of_one_maker(settings: Any) -> None:
    makers = {chosen[0].handle for chosen in choices(Layout.BACKDROP, PIECES, date(2026, 3, 3))}
    assert makers == {"@Jeffrey"}
    assert trouble(lambda: choices(Layout.BACKDROP, PIECES[1:3], date(2026, 3, 3))).code == "list_empty"
    settings.OVEN_BACKDROP_HANDLE = ""
    assert choices(Layout.BACKDROP, PIECES[1:3], date(2026, 1, 1))[0] == [PIECES[2]]


@pytest.mark.parametrize(
    ("layout", "pixels", "format_", "frames", "settle"),
    [
        (Layout.MOSAIC, (150, 79), Format.PNG, 1, 4000),
        (Layout.FEATURED, (1200, 630), Format.PNG, 1, 4000),
        (Layout.CODE_SPLIT, (650, 500), Format.PNG, 1, 4000),
        (Layout.FILMSTRIP, (400, 400), Format.WEBP, 5, 2000),
        (Layout.BACKDROP, (1024, 1024), Format.WEBP, 90, 200),
    ],
)
def test_pieces_are_captured_as_the_layout_wants(
    layout: Layout, pixels: tuple[int, int], format_: Format, frames: int, settle: int
) -> None:
    shot = shot_of(layout)
    assert shot is not None
    spec = wish_of(Piece("roz"), shot).to_spec()
    assert (spec.pixel_size, spec.format, spec.frame_count, spec.settle_wait_ms) == (pixels, format_, frames, settle)
    assert "/$roz?" in spec.url


def test_a_changed_program_and_another_moment_are_other_captures() -> None:
    shot = Shot(300, 158, at_ms=4000)
    keys = {
        wish_of(piece, when).capture_key
        for piece in (Piece("roz", source="a"), Piece("roz", source="b"))
        for when in (shot, Shot(300, 158, at_ms=2000))
    }
    assert len(keys) == 4
    assert wish_of(Piece("roz", 1, "a"), shot).capture_key == wish_of(Piece("roz", 2, "a"), shot).capture_key
