"""Jobs in any state, taken there as a worker would: rows, files, events and lines in the log."""

from __future__ import annotations

import io
import itertools
from datetime import timedelta
from typing import Any

from django.utils import timezone
from PIL import Image

from captures import services
from captures.engine.spec import Format
from captures.models import Grab
from captures.requests import parse
from oven.events import publisher, stream
from oven.jobs import lifecycle
from oven.storage import stores

GONE = ("http_status", "The page answered HTTP 404.")
_colours = itertools.cycle(["#d33", "#3a3", "#36c", "#c80"])


def queued(piece: str, **fields: Any) -> Grab:
    """Ask for a grab; without further fields for a small still."""
    lane = fields.pop("lane", None)
    wish = parse({"format": "png", "width": 64, "height": 64, **fields, "piece": piece}, any_page=True)
    return services.ask(wish, skip_cache=True, lane=lane).grab


def running(piece: str, **fields: Any) -> Grab:
    return start(queued(piece, **fields))


def start(grab: Grab) -> Grab:
    """Claim a waiting grab."""
    claimed: Any = lifecycle.claim(grab.kind, grab.pk, "test:1:1")
    assert claimed is not None, f"{grab} does not wait"
    stream.log("capture", f"{grab}: capturing {grab.title}", grab.public_id)
    return claimed


def finish(grab: Grab, data: bytes = b"") -> Grab:
    """Take a waiting or running grab to completion, with a picture of its size or with `data`."""
    grab = start(grab) if grab.state == "queued" else grab
    expires = timezone.now() + timedelta(days=1)
    mime = Format(grab.format).mime
    artifact = _kept(grab, data or picture(grab), f"oven/grabs/{grab}.{grab.format}", mime, expires)
    poster = f"oven/posters/{grab}.webp"
    stores.keep_bytes(picture(grab, "WEBP"), poster, "image/webp")
    fields = {"artifact": artifact, "poster": poster, "expires_at": expires}
    return _told(lifecycle.finish(grab, {"queue": 1, "capture": 20}, **fields))


def fail(grab: Grab, code: str = GONE[0], message: str = GONE[1]) -> Grab:
    """Fail a waiting or running grab."""
    grab = start(grab) if grab.state == "queued" else grab
    return _told(lifecycle.fail(grab, code, message, retry=False))


def done(*pieces: str, **fields: Any) -> list[Grab]:
    """Make grabs of these pieces."""
    return [finish(queued(piece, **fields)) for piece in pieces]


def failed(*pieces: str, **fields: Any) -> list[Grab]:
    """Grabs of these pieces that found no page."""
    return [fail(queued(piece, **fields)) for piece in pieces]


def waiting(piece: str) -> Grab:
    """The newest grab of a piece that waits."""
    found = Grab.objects.filter(piece=piece, state="queued").order_by("-id").first()
    assert found is not None, f"no grab of {piece} waits"
    return found


def picture(grab: Grab, format: str = "") -> bytes:
    """A picture of the grab's size, in its format, of one colour."""
    output = io.BytesIO()
    Image.new("RGB", (grab.out_width, grab.out_height), next(_colours)).save(output, format or grab.format)
    return output.getvalue()


def _kept(grab: Grab, data: bytes, key: str, mime: str, expires: Any) -> Any:
    stores.keep_bytes(data, key, mime)
    size = {"width": grab.out_width, "height": grab.out_height}
    from oven.storage.models import Artifact

    facts = {"mime": mime, "bytes": len(data), "sha256": f"{grab.pk:064}", "expires_at": expires, **size}
    return Artifact.objects.create(store="art", key=key, **facts)


def _told(grab: Grab) -> Grab:
    level = "success" if grab.state == "complete" else "error"
    stream.log(level, f"{grab}: {grab.state}", grab.public_id)
    publisher.flush()
    return grab
