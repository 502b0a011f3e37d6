"""Store screenshots: presets, how far each is, and a ZIP that is sent while they are made."""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from captures.models import Grab, ScreenshotPreset
from captures.screenshots import archive, requests
from captures.screenshots.archive import Archive, Shot, ZipStream
from captures.services import ask
from oven.jobs import lifecycle
from oven.jobs.states import Lane
from oven.storage import stores
from tests.support import awaited, finished, picture, request

pytestmark = pytest.mark.django_db
SIX = {
    "phone-portrait": (1080, 1920),
    "phone-landscape": (1920, 1080),
    "tablet7-portrait": (1200, 1920),
    "tablet7-landscape": (1920, 1200),
    "tablet10-portrait": (1600, 2560),
    "tablet10-landscape": (2560, 1600),
}


@pytest.fixture(autouse=True)
def presets(db: None, valkey: Any) -> list[ScreenshotPreset]:
    """The six, also after a test that has emptied every table."""
    importlib.import_module("captures.migrations.0007_screenshot_presets").add(apps, None)
    return requests.presets()


@pytest.fixture
def scratch(settings: Any) -> Iterator[Path]:
    place = Path(settings.OVEN_DATA) / "scratch"
    place.mkdir(parents=True, exist_ok=True)
    yield place
    shutil.rmtree(place, ignore_errors=True)


def asked(name: str, piece: str = "orbit") -> Grab:
    return ask(requests.wish_of(requests.preset_named(name), piece)).grab


def failed(grab: Grab) -> Grab:
    running = lifecycle.claim("grab", grab.pk, "test:1:1")
    assert isinstance(running, Grab)
    return lifecycle.fail(running, "blank", "The page never drew anything.", retry=False)


# --- presets --------------------------------------------------------------------------------------------------------


def test_the_six_of_the_contract_are_there_in_their_order(presets: list[ScreenshotPreset]) -> None:
    assert {preset.name: (preset.width, preset.height) for preset in presets} == SIX
    assert [preset.name for preset in presets] == list(SIX)
    assert {preset.density for preset in presets} == {4.0}


def test_a_preset_is_captured_at_its_exact_size_with_coarse_pixels(presets: list[ScreenshotPreset]) -> None:
    for preset in presets:
        wish = requests.wish_of(preset, "$roz")
        assert wish.pixel_size == SIX[preset.name]
        assert (wish.density, wish.scale) == (4.0, 1.0)


@pytest.mark.parametrize(
    ("width", "height", "field"), [(8192, 4096, "height"), (31, 64, "width"), (64, 8193, "height")]
)
def test_a_preset_beyond_the_limits_cannot_be_saved(
    client: Any, people: Any, width: int, height: int, field: str
) -> None:
    client.force_login(people.staff)
    fields = {
        "name": "big",
        "label": "Big",
        "width": width,
        "height": height,
        "density": 4,
        "category": "tv",
        "position": 1,
    }
    page = client.post(reverse("admin:captures_screenshotpreset_add"), fields)
    assert field in page.context["adminform"].form.errors
    with pytest.raises(ValidationError):
        ScreenshotPreset(**fields).full_clean()


def test_what_staff_add_is_one_of_them(client: Any, people: Any) -> None:
    client.force_login(people.staff)
    fields = {
        "name": "tv",
        "label": "TV",
        "width": 1280,
        "height": 720,
        "density": 2,
        "category": "tv",
        "position": 5,
    }
    assert client.post(reverse("admin:captures_screenshotpreset_add"), fields).status_code == 302
    found = request("GET", "/api/app-screenshots/orbit").json["presets"]
    assert next(iter(found)) == "tv"
    assert request("GET", "/app-screenshots/x/orbit.png").json["valid"][0] == "tv"


# --- one picture ----------------------------------------------------------------------------------------------------


def test_an_unknown_preset_is_told_the_six() -> None:
    answer = request("GET", "/app-screenshots/x/prompt.png")
    assert (answer.status, answer.json["field"], answer.json["valid"]) == (400, "preset", list(SIX))


def test_a_name_that_ends_in_png_is_never_a_zip() -> None:
    answer = request("GET", "/app-screenshots/download/prompt.png")
    assert (answer.status, answer.json["valid"]) == (400, list(SIX))


def test_without_the_ending_it_is_no_route() -> None:
    assert request("GET", "/app-screenshots/phone-portrait/orbit").status == 404


def test_a_repeat_is_redirected_or_sent_to_be_saved(scratch: Path) -> None:
    grab = finished(asked("phone-portrait"), scratch)
    answer = request("GET", "/app-screenshots/phone-portrait/orbit.png")
    assert (answer.status, answer.headers["X-Cache"]) == (302, "HIT")
    assert answer.headers["Cache-Control"] == "public, max-age=604800"
    saved = request("GET", "/app-screenshots/phone-portrait/orbit.png", query={"download": "true"})
    assert (saved.status, saved.headers["X-Cache"], len(saved.body)) == (200, "HIT", grab.artifact.bytes)
    assert saved.headers["Content-Disposition"] == 'attachment; filename="orbit-phone-portrait.png"'
    assert saved.headers["X-Screenshot-Dimensions"] == "1080x1920"


def test_only_staff_and_tokens_regenerate(people: Any, scratch: Path) -> None:
    old = finished(asked("phone-portrait"), scratch)
    path, query = "/app-screenshots/phone-portrait/orbit.png", {"force": "true", "nowait": "true"}
    assert request("GET", path, query=query).status == 401
    assert request("GET", path, query=query, user=people.outsider).status == 401
    assert request("GET", path, query=query, headers=people.bearer(people.steering_token)).status == 403
    assert Grab.objects.count() == 1
    answer = request("GET", path, query=query, headers=people.bearer(people.grabbing_token))
    assert answer.status == 202
    assert answer.json["jobId"] != old.public_id
    assert answer.json["statusUrl"] == f"/status/{answer.json['jobId']}"
    assert request("GET", path, query=query, user=people.staff).json == answer.json  # joined


# --- how far each is ------------------------------------------------------------------------------------------------


def test_the_overview_has_the_keys_of_the_contract() -> None:
    found = request("GET", "/api/app-screenshots/%40user%2Fpiece").json
    assert set(found) == {"piece", "presets", "zipUrl", "dashboardUrl"}
    assert (found["piece"], list(found["presets"])) == ("@user/piece", list(SIX))
    first = found["presets"]["phone-portrait"]
    assert first["url"] == "/app-screenshots/phone-portrait/@user%2Fpiece.png"
    assert first["downloadUrl"] == f"{first['url']}?download=true"
    assert (first["width"], first["height"], first["label"], first["category"]) == (
        1080,
        1920,
        "Phone Portrait",
        "phone",
    )
    assert found["zipUrl"] == "/app-screenshots/download/@user%2Fpiece"
    assert found["dashboardUrl"] == "/app-screenshots?piece=%40user%2Fpiece"


def test_the_overview_says_how_far_each_is(scratch: Path, django_assert_max_num_queries: Any) -> None:
    good = finished(asked("phone-portrait"), scratch)
    running = asked("phone-landscape")
    failed(asked("tablet7-portrait"))
    old = finished(asked("tablet7-landscape"), scratch, expires_at=timezone.now() - timedelta(days=1))
    both = finished(asked("tablet10-portrait"), scratch)
    failed(ask(requests.wish_of(requests.preset_named("tablet10-portrait"), "orbit"), skip_cache=True).grab)
    with django_assert_max_num_queries(5):
        shots = requests.overview("orbit")["presets"]
    assert [shot["state"] for shot in shots.values()] == ["ready", "baking", "failed", "missing", "failed", "missing"]
    assert shots["phone-portrait"]["imageUrl"].endswith(good.artifact.key)
    assert shots["phone-landscape"]["jobId"] == running.public_id
    assert shots["tablet7-portrait"]["error"] == "The page never drew anything."
    assert old and "imageUrl" not in shots["tablet7-landscape"]
    assert shots["tablet10-portrait"]["imageUrl"].endswith(both.artifact.key)


# --- the page -------------------------------------------------------------------------------------------------------


def test_anybody_may_look_and_staff_get_more_buttons(client: Any, people: Any) -> None:
    page = client.get("/app-screenshots").content.decode()
    assert 'value="prompt"' in page and page.count("shot-card") == 6
    assert [title for title in ("Phone", "Tablet 7", "Tablet 10") if f">{title} <" not in page] == []
    assert "again-all" not in page
    client.force_login(people.staff)
    assert "again-all" in client.get("/app-screenshots", {"piece": "$roz"}).content.decode()


@pytest.mark.parametrize("piece", ["<script>alert(1)</script>", "../x", "example.com", "x" * 300])
def test_a_bad_name_is_said_on_the_page_and_runs_nothing(client: Any, piece: str) -> None:
    answer = client.get("/app-screenshots", {"piece": piece})
    assert answer.status_code == 400
    assert b"<script>alert" not in answer.content and b'role="alert"' in answer.content
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


# --- the ZIP --------------------------------------------------------------------------------------------------------


async def collected(piece: str, shots: list[Shot]) -> zipfile.ZipFile:
    data = b"".join([part async for part in Archive(piece, shots)])
    opened = zipfile.ZipFile(io.BytesIO(data))
    assert opened.testzip() is None
    return opened


@awaited
async def test_entries_can_be_read_before_the_end() -> None:
    """Each entry's bytes are out before the next is begun, in a way that readers of a stream understand."""
    stream, data = ZipStream(), b""
    for name in ("a.png", "b.png"):
        content = name.encode() * 50_000
        file = picture(Path(str(await sync_to_async(_scratch)())) / name, content)
        artifact = await sync_to_async(stores.keep)(file, f"oven/test/{name}", "image/png")
        data += b"".join([part async for part in stream.add(f"phone/{name}", artifact)])
        assert data.count(b"PK\x03\x04") == data.count(b"PK\x07\x08") == (1 if name == "a.png" else 2)
    data += stream.end()
    entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    assert [(entry.filename, entry.file_size) for entry in entries] == [
        ("phone/a.png", 250_000),
        ("phone/b.png", 250_000),
    ]
    assert all(entry.flag_bits & 0x08 and entry.compress_type == zipfile.ZIP_DEFLATED for entry in entries)


def _scratch() -> Path:
    from django.conf import settings

    return Path(settings.OVEN_DATA) / "scratch"


def test_entries_come_as_their_captures_end_and_a_failure_is_reported(scratch: Path) -> None:
    grabs = {name: asked(name, "$roz") for name in ("phone-portrait", "phone-landscape", "tablet7-portrait")}
    finished(grabs["tablet7-portrait"], scratch)
    failed(grabs["phone-portrait"])
    finished(grabs["phone-landscape"], scratch)
    shots = [Shot(requests.preset_named(name), grab, cached=False) for name, grab in grabs.items()]
    found: list[zipfile.ZipFile] = []

    @awaited
    async def collect() -> None:
        found.append(await collected("$roz", shots))

    collect()
    names = found[0].namelist()
    assert set(names) == {"phone/$roz-phone-landscape.png", "tablet7/$roz-tablet7-portrait.png", "errors.json"}
    assert names[-1] == "errors.json"
    errors = json.loads(found[0].read("errors.json"))
    assert errors == {
        "piece": "$roz",
        "failed": [
            {
                "preset": "phone-portrait",
                "grabId": grabs["phone-portrait"].public_id,
                "error": "The page never drew anything.",
                "code": "blank",
            }
        ],
    }


def test_a_file_that_is_gone_is_reported_too(scratch: Path) -> None:
    grab = finished(asked("phone-portrait"), scratch)
    stores.drop_key(grab.artifact.key)
    found: list[zipfile.ZipFile] = []

    @awaited
    async def collect() -> None:
        grab_ = await Grab.objects.select_related("artifact").aget(pk=grab.pk)
        found.append(
            await collected(
                "orbit", [Shot(await sync_to_async(requests.preset_named)("phone-portrait"), grab_, True)]
            )
        )

    collect()
    assert found[0].namelist() == ["errors.json"]
    assert json.loads(found[0].read("errors.json"))["failed"][0]["code"] == "store"


def test_nobody_is_waited_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves in the middle of a ZIP leaves no waiting behind."""
    ended: list[str] = []

    async def settled(grab: Any) -> Any:
        try:
            await asyncio.sleep(30)
        finally:
            ended.append("yes")

    monkeypatch.setattr(archive, "settled", settled)
    shot = Shot(requests.preset_named("phone-portrait"), Grab(public_id="a"), cached=False)

    @awaited
    async def leave() -> None:
        parts = aiter(Archive("orbit", [shot]))
        waiting = asyncio.ensure_future(anext(parts))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait({waiting})
        await asyncio.sleep(0)

    leave()
    assert ended == ["yes"]


def test_the_zip_asks_for_all_behind_those_who_wait_for_one(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = lifecycle.submit
    lanes = []

    def at_once(job: Any, **_: Any) -> Any:
        lanes.append(job.lane)
        return finished(submit(job), scratch)

    monkeypatch.setattr("captures.services.lifecycle.submit", at_once)
    answer = request("GET", "/app-screenshots/download/%40user%2Fpiece")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="@user-piece-app-screenshots.zip"'
    assert set(lanes) == {Lane.BATCH} and len(lanes) == 6
    names = zipfile.ZipFile(io.BytesIO(answer.body)).namelist()
    assert sorted(names) == sorted(f"{n.split('-')[0]}/@user-piece-{n}.png" for n in SIX)


def test_a_full_queue_is_said_before_anything_is_sent(settings: Any) -> None:
    settings.OVEN_QUEUE_CEILING = 3
    assert request("GET", "/app-screenshots/download/orbit").status == 503


@pytest.mark.parametrize(
    ("piece", "name"),
    [
        ("$roz", "$roz"),
        ("@user/piece", "@user-piece"),
        ("../x", "-x"),
        ('a"b', "a-b"),
        ("日本", "日本"),
        ("..", "piece"),
    ],
)
def test_a_file_s_name_leads_nowhere_else(piece: str, name: str) -> None:
    assert requests.file_name(piece) == name
