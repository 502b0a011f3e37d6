from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from captures.engine.spec import Format
from captures.requests import GrabRequest, check_piece, clean_cache_key, flag, parse, slug
from captures.services import new_id
from oven.errors import BadRequest

PIECE = {"piece": "orbit"}


def wrong(fields: dict[str, Any], any_page: bool = False) -> BadRequest:
    with pytest.raises(BadRequest) as bad:
        parse({**PIECE, **fields}, any_page=any_page)
    assert bad.value.message.startswith(f"{bad.value.field}: ")
    return bad.value


# --- bounds ---------------------------------------------------------------------------------------------------------


def test_defaults_are_those_of_the_contract() -> None:
    assert parse(PIECE) == GrabRequest("orbit", Format.WEBP, 512, 512, 12_000, 7.5, 15.0, 1.0, None, 80, False, "")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("format", ["bmp", "", "jpeg", "webp2", None, 7, ["png"]]),
        ("width", [0, 31, 1001, -5, "1001", 1e9, True]),
        ("height", [0, 31, 1001, -5, "31.9"]),
        ("duration", [0, -1, 30_001, "30001", "abc", "NaN", "inf", True, [], {}, 10**400]),
        ("fps", [0, 0.09, 60.1, -1, "abc", float("nan"), float("inf"), True, [], 10**400]),
        ("playbackFps", [0, 0.09, 60.1, "abc", True]),
        ("density", [0, 0.09, 8.1, -1, "abc", True]),
        ("viewportScale", [0.09, 8.1, -1, "abc", "0", True]),
        ("quality", [0, 101, -1, "abc", True]),
    ],
)
def test_a_value_out_of_bounds_names_its_field(field: str, values: list[Any]) -> None:
    for value in values:
        bad = wrong({field: value})
        assert (bad.field, bool(bad.valid)) == (field, True), value


@pytest.mark.parametrize(
    ("field", "name", "values"),
    [
        ("width", "width", [(32, 32), (1000, 1000), ("64", 64), ("64.9", 64), ("abc", 512), (None, 512)]),
        ("height", "height", [(32, 32), (1000, 1000), ("nan", 512), ([], 512)]),
        ("duration", "duration_ms", [(1, 1), (30_000, 30_000), ("1500", 1500), ("", 12_000), (None, 12_000)]),
        ("fps", "fps", [(0.1, 0.1), (20, 20.0), ("7.5", 7.5)]),
        ("playbackFps", "playback_fps", [(0.1, 0.1), (60, 60.0), (50, 50.0)]),
        ("density", "density", [(0.1, 0.1), (8, 8.0), ("2", 2.0)]),
        ("viewportScale", "viewport_scale", [(0.1, 0.1), ("2", 2.0), (None, None), ("", None)]),
        ("quality", "quality", [(1, 1), (100, 100), ("55", 55)]),
        ("format", "format", [("GIF", Format.GIF), ("Png", Format.PNG), ("mp4", Format.MP4)]),
        ("transparent", "transparent", [(True, True), ("true", True), ("1", True), ("no", False), (None, False)]),
    ],
)
def test_a_value_within_bounds_is_taken(field: str, name: str, values: list[tuple[Any, Any]]) -> None:
    for value, expected in values:
        small = {**PIECE, "width": 64, "height": 64}
        assert getattr(parse({**small, field: value}), name) == expected, value


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"width": 1000, "height": 1000, "density": 4.1}, "density"),  # 16.81 M pixels
        ({"width": 1000, "height": 1000, "viewportScale": 8}, "density"),
        ({"duration": 30_000, "fps": 20.1}, "fps"),  # 603 frames
        ({"duration": 10_001, "fps": 60, "format": "mp4"}, "fps"),
        ({"format": "gif", "playbackFps": 50.1}, "playbackFps"),
        ({"format": "mp4", "transparent": True}, "transparent"),
        ({"format": "gif", "transparent": "1"}, "transparent"),
    ],
)
def test_values_that_do_not_go_together_are_refused(fields: dict[str, Any], field: str) -> None:
    assert wrong(fields).field == field


@pytest.mark.parametrize(
    "fields",
    [
        {"width": 1000, "height": 1000, "density": 4},  # 16 M pixels
        {"width": 1000, "height": 1000, "density": 8, "viewportScale": 1},
        {"duration": 30_000, "fps": 20},  # 600 frames
        {"duration": 10_000, "fps": 60, "format": "mp4"},
        {"duration": 30_000, "fps": 60, "format": "png"},  # a still has one
        {"format": "gif", "playbackFps": 50},
        {"format": "webp", "playbackFps": 60},
        {"format": "webp", "transparent": True},
        {"format": "png", "transparent": True},
    ],
)
def test_values_at_their_common_limit_are_taken(fields: dict[str, Any]) -> None:
    wish = parse({**PIECE, **fields})
    assert wish.to_spec().frame_count <= 600


def test_a_long_wrong_value_is_not_repeated_in_full() -> None:
    for field in ("format", "fps", "density"):
        assert len(wrong({field: "x" * 10_000}).message) < 200


# --- pieces ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "piece",
    ["orbit", "$bloom", "@user/piece", "wipe red", "line:10 (a)", "a/b", "naïve", "~tilde", "x" * 200, " orbit "],
)
def test_names_of_pieces_are_taken(piece: str) -> None:
    assert check_piece(piece) == piece.strip()


@pytest.mark.parametrize(
    "piece",
    [
        None,
        7,
        "",
        "   ",
        [],
        {},
        "../../etc/passwd",
        "a/../b",
        "/etc/passwd",
        "//evil.test",
        "a\x00b",
        "a\nb",
        "a\\b",
        "a?b",
        "a#b",
        "a%2e%2e",
        "a&b",
        "<script>",
        "{origin}",
        "x" * 201,
        "x" * 300,
        "example.com",
        "EXAMPLE.ORG",
        "thing.xyz",
        "sundarakarma",
        "https://example.org/page",
        "http://example.org/page",
        "HTTPS://example.org",
    ],
)
def test_everything_else_is_refused(piece: object) -> None:
    with pytest.raises(BadRequest) as bad:
        check_piece(piece)
    assert bad.value.field == "piece"


def test_the_first_thing_looked_at_is_the_piece() -> None:
    assert wrong({"piece": None, "format": "bmp"}).field == "piece"


def test_staff_may_name_an_https_page() -> None:
    wish = parse({"piece": "https://example.org/page?a=b"}, any_page=True)
    assert wish.is_url
    assert wish.url == "https://example.org/page?a=b"
    assert wish.to_spec().wait_for_idle


@pytest.mark.parametrize("piece", ["http://example.org/", "https://example.org/" + "x" * 2000, "example.org"])
def test_even_staff_may_not_name_these(piece: str) -> None:
    assert wrong({"piece": piece}, any_page=True).field == "piece"


def test_a_piece_cannot_leave_its_place_in_the_address(settings: Any) -> None:
    settings.OVEN_PIECE_URL = "{origin}/{piece}?density={density}&tv=true"
    settings.OVEN_PIECE_ORIGIN = "http://pieces.test"
    assert parse({"piece": "$a b", "density": "2"}).url == "http://pieces.test/$a%20b?density=2&tv=true"
    assert parse({"piece": "naïve"}).url.startswith("http://pieces.test/na%C3%AFve?")


# --- capture keys ---------------------------------------------------------------------------------------------------

BASE = GrabRequest("orbit", width=64, height=64)


@pytest.mark.parametrize(
    "change",
    [
        {"piece": "waves"},
        {"piece": "$orbit"},
        {"piece": "Orbit"},
        {"format": Format.GIF},
        {"format": Format.PNG},
        {"width": 65},
        {"height": 65},
        {"duration_ms": 11_999},
        {"fps": 8.0},
        {"playback_fps": 16.0},
        {"density": 2.0},
        {"viewport_scale": 2.0},
        {"quality": 79},
        {"transparent": True},
        {"cache_key": "other"},
    ],
)
def test_whatever_shapes_the_picture_changes_its_key(change: dict[str, Any]) -> None:
    assert replace(BASE, **change).capture_key != BASE.capture_key


@pytest.mark.parametrize("setting", ["OVEN_RENDER_VERSION", "OVEN_PIECE_ORIGIN"])
def test_another_installation_has_other_keys(settings: Any, setting: str) -> None:
    before = BASE.capture_key
    setattr(settings, setting, "http://v2")
    assert BASE.capture_key != before


@pytest.mark.parametrize("change", [{"duration_ms": 1}, {"fps": 1.0}, {"playback_fps": 1.0}, {"quality": 1}])
def test_a_still_ignores_what_only_moves(change: dict[str, Any]) -> None:
    still = replace(BASE, format=Format.PNG)
    assert replace(still, **change).capture_key == still.capture_key


@pytest.mark.parametrize(
    "fields",
    [
        {"width": "64", "height": "64"},
        {"format": "WEBP"},
        {"piece": " orbit "},
        {"fps": "7.5", "duration": "12000"},
        {"source": "keep", "keepId": "7", "skipCache": True, "nowait": True},
    ],
)
def test_spelling_does_not_change_the_key(fields: dict[str, Any]) -> None:
    assert parse({"piece": "orbit", "width": 64, "height": 64, **fields}).capture_key == BASE.capture_key


def test_a_key_is_readable_in_front() -> None:
    assert re.fullmatch(r"orbit_64x64_webp_anim_v1_[0-9a-f]{16}", BASE.capture_key)
    longest = GrabRequest("x" * 200, width=1000, height=1000)
    assert len(longest.capture_key) <= 400


def test_a_stored_wish_is_the_same_wish() -> None:
    import json

    wish = parse({**PIECE, "format": "png", "density": 2, "transparent": True, "cacheKey": "a b"})
    again = GrabRequest.from_json(json.loads(json.dumps(wish.as_json())))
    assert again == wish
    assert again.capture_key == wish.capture_key


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("orbit", "orbit"),
        ("$bloom", "bloom"),
        ("@user/piece", "@user-piece"),
        ("https://example.org/a?b", "example.org-a-b"),
        ("wipe red", "wipe-red"),
        ("naïve", "na-ve"),
        ("$", "piece"),
        ("///", "piece"),
        ("..", "piece"),
        ("x" * 100, "x" * 80),
    ],
)
def test_a_slug_means_nothing_in_a_path(piece: str, expected: str) -> None:
    assert slug(piece) == expected


def test_ids_are_unlike_and_carry_the_name() -> None:
    ids = {new_id("$bloom") for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"bloom-[0-9a-f]{8}", name) for name in ids)
    assert len(new_id("x" * 200)) <= 140


@pytest.mark.parametrize(
    ("text", "clean"), [("v1", "v1"), ("a b/c", "a-b-c"), ("a  --  b", "a-b"), ("é", "-"), ("x" * 60, "x" * 48)]
)
def test_cache_keys_are_cleaned(text: str, clean: str) -> None:
    assert clean_cache_key(text) == clean


@pytest.mark.parametrize(
    ("value", "on"),
    [(True, True), ("true", True), ("TRUE", True), ("1", True), (1, True), ("yes", False), (0, False)],
)
def test_a_flag_is_true_or_1(value: object, on: bool) -> None:
    assert flag({"x": value}, "x") is on
    assert flag({}, "x") is False
