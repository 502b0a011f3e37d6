"""Store screenshots as captures, the addresses of their pictures, and how far each of a piece's is."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from django.db.models import Max
from django.utils import timezone
from pydantic import Field

from captures.models import SIDES, Grab, ScreenshotPreset
from captures.purpose import Purpose
from captures.requests import GrabRequest, parse
from oven.errors import BadRequest
from oven.events import progress
from oven.events.stream import epoch_ms
from oven.http.fields import Flag, Schema
from oven.jobs.states import ACTIVE, RUNNING, State
from oven.storage.urls import redirect_url


class ShotQuery(Schema):
    force: Annotated[
        bool, Flag(), Field(description="Capture again without the cache (scope grab).", examples=[False])
    ] = False
    nowait: Annotated[bool, Flag(), Field(description="202 with the job, instead of waiting.", examples=[False])] = (
        False
    )
    download: Annotated[bool, Flag(), Field(description="As a file to be saved.", examples=[True])] = False


def presets() -> list[ScreenshotPreset]:
    return list(ScreenshotPreset.objects.all())


def preset_named(name: str) -> ScreenshotPreset:
    """Raises BadRequest, with the names that there are."""
    found = ScreenshotPreset.objects.filter(name=name).first()
    if found is None:
        names = [preset.name for preset in presets()]
        raise BadRequest("preset", f"preset: {name[:40]!r} is not one of {', '.join(names)}.", names)
    return found


def wish_of(preset: ScreenshotPreset, piece: str) -> GrabRequest:
    """Exactly the preset's pixels, with the piece's own as coarse as its density says. Raises BadRequest."""
    fields = {"width": preset.width, "height": preset.height, "density": preset.density, "viewportScale": 1}
    return parse({"piece": piece, "format": "png", **fields}, sides=SIDES, purpose=Purpose.SCREENSHOT)


def segment(piece: str) -> str:
    return quote(piece, safe="$@~")


def picture_url(preset: ScreenshotPreset, piece: str) -> str:
    return f"/app-screenshots/{preset.name}/{segment(piece)}.png"


def page_url(piece: str) -> str:
    return f"/app-screenshots?{urlencode({'piece': piece})}"


def zip_url(piece: str) -> str:
    return f"/app-screenshots/download/{segment(piece)}"


def file_name(piece: str) -> str:
    """A piece's name as part of a file's: nothing in it leads elsewhere."""
    return "".join(char if char.isalnum() or char in "$@~.-_" else "-" for char in piece).strip(".") or "piece"


def overview(piece: str) -> dict[str, Any]:
    """What `/api/app-screenshots/:piece` answers: the contract's keys, and how far each picture is."""
    wishes = {preset: wish_of(preset, piece) for preset in presets()}
    keys = [wish.capture_key for wish in wishes.values()]
    newest = _newest(keys)
    good = _newest(keys, state=State.COMPLETE, artifact__isnull=False, expires_at__gt=timezone.now())
    running = [grab.public_id for grab in newest.values() if grab.state in RUNNING]
    live = progress.read("grab", running)
    return {
        "piece": piece,
        "presets": {
            preset.name: {
                **_fixed(preset, piece),
                **_state(newest.get(wish.capture_key), good.get(wish.capture_key), live),
            }
            for preset, wish in wishes.items()
        },
        "zipUrl": zip_url(piece),
        "dashboardUrl": page_url(piece),
    }


def _fixed(preset: ScreenshotPreset, piece: str) -> dict[str, Any]:
    url = picture_url(preset, piece)
    return {
        **{name: getattr(preset, name) for name in ("width", "height", "label", "category")},
        "url": url,
        "downloadUrl": f"{url}?download=true",
    }


def _newest(keys: list[str], **which: Any) -> dict[str, Grab]:
    """The newest grab of each key, by key."""
    tops = Grab.objects.filter(capture_key__in=keys, **which).values("capture_key").annotate(top=Max("pk"))
    found = Grab.objects.filter(pk__in=tops.values("top")).select_related("artifact")
    return {grab.capture_key: grab for grab in found}


def _state(newest: Grab | None, good: Grab | None, live: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """`state`: missing, baking, ready or failed; what is known of a finished picture stays beside a newer failure."""
    found: dict[str, Any] = {"state": "ready" if good else "missing"}
    if good and good.artifact:
        found |= {
            "imageUrl": redirect_url(good.artifact.store, good.artifact.key),
            "bytes": good.artifact.bytes,
            "capturedAt": epoch_ms(good.ended_at),
        }
    if newest is None:
        return found
    if newest.state in ACTIVE:
        now = live.get(newest.public_id, {})
        found |= {"state": "baking", "jobId": newest.public_id, "statusUrl": f"/status/{newest.public_id}"}
        found |= {"percent": now.get("percent", newest.percent), "stage": now.get("stage") or newest.state}
    elif newest.state == State.FAILED and newest != good:
        found |= {"state": "failed", "jobId": newest.public_id}
        found |= {"error": newest.error_message, "code": newest.error_code}
    return found
