"""Icons and previews: addresses, sizes, motion, and what a repeat costs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from captures import storage_keys
from captures.engine.spec import File, Format
from captures.icons.requests import ANIMATED_ICON, ICON, ICONS, PREVIEW, motion, sides, split, wish_of
from captures.models import Grab
from captures.purpose import Purpose
from captures.services import ask
from oven.errors import BadRequest
from oven.jobs import lifecycle
from tests.support import finished, request


@pytest.fixture
def scratch(settings: Any) -> Iterator[Path]:
    place = Path(settings.OVEN_DATA) / "scratch"
    place.mkdir(parents=True, exist_ok=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def kept(db: None, valkey: Any, scratch: Path) -> Any:
    """A finished icon: `kept("128x128", "orbit")`."""

    def make(size: str = "128x128", piece: str = "orbit", family: Any = ICON, **fields: Any) -> Grab:
        grab: Grab = finished(ask(wish_of(family, size, piece, {})).grab, scratch, **fields)
        return grab

    return make


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "size", "expected"),
    [
        (ICON, "128x128", (128, 128)),
        (ICON, "4000x4000", (512, 512)),
        (ICON, "600x100", (512, 100)),
        (ICON, "axb", (128, 128)),
        (ICON, "64x", (64, 128)),
        (ICON, "x64", (128, 64)),
        (ICON, "0x-5", (128, 128)),
        (ICON, "64.5 X32.9", (64, 32)),
        (ICON, "9" * 4000 + "x1", (512, 1)),
        (ANIMATED_ICON, "256x256", (128, 128)),
        (PREVIEW, "axb", (1200, 1080)),
        (PREVIEW, "4000x4000", (1920, 1080)),
        (PREVIEW, "1800x900", (1800, 900)),
    ],
)
def test_each_side_has_its_default_and_its_cap(family: Any, size: str, expected: tuple[int, int]) -> None:
    assert sides(size, family) == expected


@pytest.mark.parametrize("size", ["128", "", "1x2x3", "-"])
def test_a_size_without_two_sides_is_named(size: str) -> None:
    with pytest.raises(BadRequest) as bad:
        sides(size, ICON)
    assert (bad.value.field, bad.value.valid) == ("size", "128x128")


def test_a_preview_has_coarse_pixels_in_an_exact_file() -> None:
    wish = wish_of(PREVIEW, "1200x630", "$roz", {})
    assert wish.pixel_size == (1200, 630)
    assert "density=4" in wish.url


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orbit.png", ("orbit", ICON)),
        ("$roz.WEBP", ("$roz", ANIMATED_ICON)),
        ("prompt~wipe.png", ("prompt~wipe", ICON)),
        ("@user/piece.png", ("@user/piece", ICON)),
        ("a.b.png", ("a.b", ICON)),
        ("orbit.gif", None),
        ("orbit", None),
        (".png", None),
    ],
)
def test_a_name_is_a_piece_and_an_ending(name: str, expected: Any) -> None:
    assert split(name, ICONS) == expected


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/icon/64x64/orbit.gif", "/icon/64x64/orbit", "/preview/64x64/orbit.webp"])
def test_another_ending_is_no_route(path: str) -> None:
    assert request("GET", path).status == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/icon/64/orbit.png", "size"),
        ("/icon/64x64/example.com.png", "piece"),
        ("/icon/64x64/%2e%2e%2fadmin.png", "piece"),
        ("/preview/64x64/https%3A%2F%2Fexample.org.png", "piece"),
        ("/icon/64x64/orbit.webp?frames=abc", "frames"),
        ("/icon/64x64/orbit.webp?fps=0", "fps"),
        ("/icon/64x64/orbit.webp?frames=60&fps=1", "frames"),
    ],
)
def test_what_is_wrong_is_named(path: str, field: str) -> None:
    answer = request("GET", path)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert not Grab.objects.exists()


# --- motion ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "frames", "fps"),
    [
        ({}, 30, 15),
        ({"frames": "7", "fps": "30"}, 7, 30),
        ({"frames": "2", "fps": "30"}, 2, 30),
        ({"frames": "1"}, 1, 15),
        ({"frames": "61", "fps": "31"}, 60, 30),
        ({"frames": "10", "fps": "7.5"}, 10, 7.5),
        ({"frames": "13", "fps": "29"}, 13, 29),
    ],
)
def test_frames_and_fps_are_those_of_the_capture(query: dict[str, str], frames: int, fps: float) -> None:
    wish = wish_of(ANIMATED_ICON, "64x64", "orbit", query)
    spec = wish.to_spec()
    assert (spec.frame_count, spec.fps, spec.playback_fps) == (frames, fps, fps)


def test_every_number_of_frames_is_exact_at_every_rate() -> None:
    for frames in range(1, 61):
        for fps in range(2, 31):
            wish = wish_of(ANIMATED_ICON, "8x8", "orbit", {"frames": str(frames), "fps": str(fps)})
            assert wish.to_spec().frame_count == frames, (frames, fps)


@pytest.mark.parametrize(("field", "value"), [("frames", "nan"), ("frames", "0"), ("fps", "-1"), ("fps", "abc")])
def test_a_rate_that_is_none_is_named(field: str, value: str) -> None:
    with pytest.raises(BadRequest) as bad:
        motion({field: value})
    assert bad.value.field == field


def test_another_motion_is_another_picture() -> None:
    keys = {wish_of(ANIMATED_ICON, "64x64", "orbit", {"frames": n}).capture_key for n in ("5", "6")}
    assert len(keys) == 2


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_icons_grabs_and_previews_do_not_stand_in_for_one_another(wish: Any) -> None:
    same = {"piece": "orbit", "format": "png", "width": 128, "height": 128}
    keys = {wish(**same).capture_key, *(wish_of(f, "128x128", "orbit", {}).capture_key for f in (ICON, PREVIEW))}
    assert len(keys) == 3


def test_files_lie_where_the_contract_says(kept: Any) -> None:
    grab = kept("128x64", "$roz")
    wish = wish_of(ICON, "128x64", "$roz", {})
    tail = grab.public_id.removeprefix("roz-")
    file = File(Path("x"), Format.PNG, 128, 64, 1)
    assert storage_keys.file_key(grab, wish, file) == f"oven/icons/roz-128x64-v1-{tail}.png"
    moving = wish_of(ANIMATED_ICON, "64x64", "$roz", {"frames": "6", "fps": "10"})
    file = File(Path("x"), Format.WEBP, 64, 64, 6)
    assert storage_keys.file_key(grab, moving, file) == f"oven/animated-icons/roz-64x64-f6-fps10-v1-{tail}.webp"
    grab.attempt = 2
    assert storage_keys.file_key(grab, wish, file).endswith(f"{tail}-2.webp")


def test_an_icon_lives_for_seven_days_and_a_grab_for_thirty(settings: Any) -> None:
    assert (Purpose.ICON.life, Purpose.GRAB.life) == (timedelta(days=7), timedelta(days=30))
    settings.OVEN_ICON_DAYS = 0.5
    assert Purpose.PREVIEW.life == timedelta(hours=12)


@pytest.mark.parametrize(
    ("path", "family", "max_age"),
    [
        ("/icon/128x128/orbit.png", ICON, 86400),
        ("/icon/128x128/orbit.webp", ANIMATED_ICON, 604800),
        ("/preview/128x128/orbit.png", PREVIEW, 86400),
    ],
)
def test_a_repeat_is_redirected(kept: Any, path: str, family: Any, max_age: int) -> None:
    grab = kept(family=family)
    answer = request("GET", path)
    assert (answer.status, answer.headers["X-Cache"]) == (302, "HIT")
    assert answer.headers["Cache-Control"] == f"public, max-age={max_age}"
    assert answer.headers["Location"].endswith(grab.artifact.key)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    head = request("HEAD", path)
    assert (head.status, head.headers["Location"]) == (302, answer.headers["Location"])


def test_a_repeat_asks_the_database_at_most_twice(kept: Any) -> None:
    kept()
    with CaptureQueriesContext(connection) as queries:
        assert request("GET", "/icon/128x128/orbit.png").status == 302
    assert len(queries) <= 2, [query["sql"] for query in queries]


def test_a_script_of_another_site_gets_the_bytes_and_an_etag(kept: Any) -> None:
    grab = kept()
    origin = {"Origin": "https://aesthetic.computer"}
    answer = request("GET", "/icon/128x128/orbit.png", headers=origin)
    assert (answer.status, answer.headers["X-Cache"], answer.headers["X-Proxy"]) == (200, "HIT", "CDN")
    assert answer.headers["Content-Type"] == "image/png"
    assert int(answer.headers["Content-Length"]) == len(answer.body) == grab.artifact.bytes
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = request("GET", "/icon/128x128/orbit.png", headers={**origin, "If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert request("GET", "/icon/128x128/orbit.png", headers={"If-None-Match": answer.headers["ETag"]}).status == 304
    assert request("GET", "/icon/128x128/orbit.png", headers={"If-None-Match": '"other"'}).status == 302


def test_answers_that_differ_by_origin_say_so(kept: Any, people: Any) -> None:
    kept()
    tag = request("GET", "/icon/128x128/orbit.png", headers={"Origin": "https://site.example"}).headers["ETag"]
    for headers in ({}, {"Origin": "https://site.example"}, {"If-None-Match": tag}):
        assert request("GET", "/icon/128x128/orbit.png", headers=headers).headers["Vary"] == "Origin"
    signed_in = request("GET", "/icon/128x128/orbit.png", headers={"Accept-Language": "de"}, user=people.staff)
    assert "Origin" in signed_in.headers["Vary"]


def test_an_expired_icon_is_captured_anew(kept: Any) -> None:
    old = kept(expires_at=timezone.now() - timedelta(seconds=1))
    new = ask(wish_of(ICON, "128x128", "orbit", {})).grab
    assert new != old


@pytest.mark.django_db
def test_a_full_queue_is_said(valkey: Any, settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING = 0
    answer = request("GET", "/icon/64x64/orbit.png")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "30")


@pytest.mark.django_db
def test_a_failed_capture_is_500(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = lifecycle.submit

    def fail(job: Any, **_: Any) -> Any:
        running = lifecycle.claim("grab", submit(job).pk, "test:1:1")
        assert running is not None
        return lifecycle.fail(running, "http_status", "The page answered HTTP 404.", retry=False)

    monkeypatch.setattr("captures.services.lifecycle.submit", fail)
    answer = request("GET", "/icon/64x64/nope.png")
    assert (answer.status, answer.json["code"]) == (500, "http_status")
    assert answer.json["error"] and answer.json["grabId"].startswith("nope-")
