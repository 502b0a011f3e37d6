"""Several files of one load: what is asked for, how it is answered, and who finds it afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from captures import runner, services
from captures.engine.spec import CaptureResult, File, Format, Mode, Ready
from captures.models import Grab, GrabOutput
from captures.requests import GrabRequest, parse
from captures.services import ask
from oven.errors import BadRequest
from oven.jobs import lifecycle
from oven.jobs.context import JobContext
from oven.storage.models import Artifact
from tests.support import picture, request

FOUR = ["png", "webp", "gif", "mp4"]


def several(**fields: Any) -> GrabRequest:
    return parse({"piece": "orbit", "width": 128, "height": 64, **fields}, several=True)


@pytest.fixture
def scratch(settings: Any) -> Iterator[Path]:
    place = Path(settings.OVEN_DATA) / "scratch"
    place.mkdir(parents=True, exist_ok=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def conclude(wish: GrabRequest, scratch: Path) -> Grab:
    """Takes a wish to its end as a worker does, with pretended files."""
    grab = lifecycle.claim("grab", ask(wish).grab.pk, "test:1:1")
    assert isinstance(grab, Grab)
    spec = wish.to_spec()
    files = [
        File(picture(scratch / f"{n}.{o.format}", f"{o}".encode()), o.format, o.width, o.height, 1)
        for n, o in enumerate(spec.outputs)
    ]
    first = files[0]
    result = CaptureResult(
        first.path, first.format, first.width, first.height, 1, 1, Mode.VIRTUAL, Ready.SIGNAL, 1, b"x", files=files
    )
    runner.GrabRunner()._store_and_publish(JobContext(grab), grab, wish, result)
    grab.refresh_from_db()
    return grab


# --- asking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["png,webp, gif ,MP4", ["png", "webp", "gif", "mp4"], "png,webp,png,gif,mp4"])
def test_formats_are_a_list_or_names_between_commas(value: object) -> None:
    wish = several(formats=value)
    assert wish.formats == (Format.PNG, Format.WEBP, Format.GIF, Format.MP4)
    assert wish.format is Format.PNG


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"formats": "png,bmp"}, "formats"),
        ({"formats": ["png", 7]}, "formats"),
        ({"formats": {"png": 1}}, "formats"),
        ({"formats": ["png"] * 21}, "formats"),
        ({"formats": "png", "sizes": "129"}, "sizes"),
        ({"formats": "png", "sizes": "31"}, "sizes"),
        ({"formats": "png", "sizes": "64.5"}, "sizes"),
        ({"formats": "png", "sizes": "-64"}, "sizes"),
        ({"formats": "png", "sizes": "٦٤"}, "sizes"),
        ({"formats": "png", "sizes": [None]}, "sizes"),
        ({"formats": "png", "sizes": "32,33,34,35,36"}, "sizes"),
        ({"formats": "png,gif", "transparent": True}, "transparent"),
        ({"formats": "png,gif", "playbackFps": 60}, "playbackFps"),
        ({"formats": "png,webp", "duration": 30_000, "fps": 60}, "fps"),
    ],
)
def test_what_cannot_be_made_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as bad:
        several(**fields)
    assert bad.value.field == field
    assert field != "formats" or "png, bmp" not in bad.value.message


def test_a_wrong_format_is_told_the_right_ones() -> None:
    with pytest.raises(BadRequest) as bad:
        several(formats="bmp")
    assert bad.value.valid == ["webp", "gif", "png", "mp4"]


def test_without_formats_nothing_changes(wish: Any) -> None:
    assert several() == parse({"piece": "orbit", "width": 128, "height": 64})
    assert several(formats="", sizes=[]).outputs == [several()]
    assert not {"formats", "sizes", "purpose"} & set(several().as_json())


def test_formats_are_read_only_where_they_can_be_answered() -> None:
    assert parse({"piece": "orbit", "formats": "png,webp"}).formats == ()


def test_every_output_is_the_wish_for_it_alone() -> None:
    wish = several(formats="png,webp", sizes="128,64", duration=1000)
    alone = parse({"piece": "orbit", "format": "webp", "width": 128, "height": 64, "duration": 1000})
    half = parse({"piece": "orbit", "format": "png", "width": 128, "height": 64, "viewportScale": 0.5})
    keys = [output.capture_key for output in wish.outputs]
    assert [(o.format, o.pixel_size) for o in wish.outputs] == [
        (Format.PNG, (128, 64)),
        (Format.WEBP, (128, 64)),
        (Format.PNG, (64, 32)),
        (Format.WEBP, (64, 32)),
    ]
    assert keys[1] == alone.capture_key
    assert keys[2] == half.capture_key
    assert wish.capture_key not in keys


def test_sizes_alone_are_of_the_one_format() -> None:
    wish = several(format="gif", sizes=[64, 32])
    assert [(o.format, o.pixel_size[0]) for o in wish.outputs] == [(Format.GIF, 64), (Format.GIF, 32)]


def test_a_stored_wish_is_read_again() -> None:
    import json

    wish = several(formats=FOUR, sizes="64,128")
    assert GrabRequest.from_json(json.loads(json.dumps(wish.as_json()))) == wish


# --- what comes of it -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_all_files_are_published_with_the_grab_and_found_alone_afterwards(valkey: Any, scratch: Path) -> None:
    wish = several(formats=FOUR, sizes="128,64")
    grab = conclude(wish, scratch)
    assert [(o.format, o.width) for o in grab.outputs.all()] == [(f, w) for w in (128, 64) for f in FOUR]
    assert len({o.artifact.key for o in grab.outputs.all() if o.artifact}) == 8
    assert grab.artifact == grab.outputs.all()[0].artifact
    for output in wish.outputs:
        found = ask(output)
        assert (found.cached, found.grab, found.grab.format) == (True, grab, output.format)
        assert (found.grab.out_width, found.grab.out_height) == output.pixel_size
        assert found.grab.artifact.width == output.pixel_size[0]
    assert ask(wish).cached
    assert Grab.objects.count() == 1


@pytest.mark.django_db
def test_a_file_that_is_gone_is_not_served(valkey: Any, scratch: Path) -> None:
    wish = several(formats="png,webp")
    grab = conclude(wish, scratch)
    Artifact.objects.filter(key__endswith=".webp").delete()
    assert ask(wish.outputs[0]).cached
    assert ask(wish.outputs[1]).grab != grab


@pytest.mark.django_db
def test_an_attempt_that_lost_its_row_publishes_nothing(valkey: Any, scratch: Path) -> None:
    wish = several(formats="png,webp")
    grab = lifecycle.claim("grab", ask(wish).grab.pk, "test:1:1")
    assert isinstance(grab, Grab)
    grab.made = [GrabOutput(grab=grab, format="png", width=1, height=1, capture_key="k")]
    lifecycle.cancel(Grab.objects.get(pk=grab.pk))
    with pytest.raises(lifecycle.StateMismatch):
        lifecycle.finish(grab, {})
    lifecycle.confirm_cancelled(Grab.objects.get(pk=grab.pk))
    assert not GrabOutput.objects.exists()


@pytest.mark.django_db
def test_a_repeat_says_where_every_file_lies(valkey: Any, scratch: Path, people: Any) -> None:
    grab = conclude(several(formats="png,webp"), scratch)
    body = {"piece": "orbit", "width": 128, "height": 64, "formats": ["png", "webp"]}
    answer = request("POST", "/grab", body=body, headers=people.bearer(people.grabbing_token))
    assert (answer.status, answer.headers["X-Cache"]) == (200, "HIT")
    assert answer.json["grabId"] == grab.public_id
    assert [set(output) for output in answer.json["outputs"]] == [
        {"format", "width", "height", "url", "bytes", "sha256"}
    ] * 2
    first = answer.json["outputs"][0]
    assert first["url"].endswith(f"/oven/grabs/{grab.public_id}.png")
    assert (first["format"], first["width"], first["height"]) == ("png", 128, 64)
    assert len(first["sha256"]) == 64


@pytest.mark.django_db
def test_a_wrong_format_is_400_over_http(valkey: Any, people: Any) -> None:
    body = {"piece": "orbit", "formats": ["png", "bmp"]}
    answer = request("POST", "/grab", body=body, headers=people.bearer(people.grabbing_token))
    assert (answer.status, answer.json["field"], answer.json["valid"]) == (
        400,
        "formats",
        ["webp", "gif", "png", "mp4"],
    )


@pytest.mark.django_db
def test_asking_again_makes_all_of_them_again(valkey: Any, scratch: Path) -> None:
    grab = conclude(several(formats=FOUR), scratch)
    again = services.ask_again(grab, skip_cache=True).grab
    assert (again.capture_key, again.formats) == (grab.capture_key, FOUR)
    assert again.title == "orbit png+webp+gif+mp4 128×64"
