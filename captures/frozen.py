"""The frozen list: pieces that do not move, and pieces that staff answer with a still until they are unfrozen."""

from __future__ import annotations

import io
import logging
import secrets
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import F
from django.http import HttpResponse
from django.utils import timezone
from PIL import Image, ImageOps

from captures.engine.encode import encode_one_frame
from captures.engine.spec import CaptureResult, Format
from captures.models import FrozenPiece, Grab
from captures.placeholder import frozen_placeholder
from captures.requests import GrabRequest, slug
from oven.events import stream
from oven.jobs.states import State
from oven.storage import stores

log = logging.getLogger(__name__)
FOLDER = "oven/frozen"
CANDIDATES = 5  # of the newest good captures, for one whose picture can be read
RENDERED = 64  # stills that are kept in memory
HEADERS = {"Cache-Control": "no-cache, no-store, must-revalidate", "X-Cache": "HIT", "X-Oven-Status": "frozen"}


class Frozen(Exception):
    """A piece that staff froze. It is answered with its still, and nothing is captured."""

    def __init__(self, entry: FrozenPiece, wish: GrabRequest) -> None:
        super().__init__(f"{entry.piece} is frozen by staff: it is not captured until it is unfrozen.")
        self.entry, self.wish = entry, wish
        self.message = str(self)


# --- the list -------------------------------------------------------------------------------------------------------


def freeze(piece: str, reason: str, user: Any = None) -> FrozenPiece:
    """Answer a piece with its still from now on. `reason` is for staff only."""
    fields = {"reason": FrozenPiece.STAFF, "error": reason or f"listed by {user or 'staff'}"}
    before = FrozenPiece.objects.filter(piece=piece).first()
    fields["preview"] = _keep_still(piece) or (before.preview if before else "")
    entry, _ = FrozenPiece.objects.update_or_create(piece=piece, defaults=fields)
    stream.publish_frozen(piece)
    return entry


def unfreeze(piece: str) -> bool:
    """Take a piece off the list. Return whether it was on it."""
    entry = FrozenPiece.objects.filter(piece=piece).first()
    if entry is None or not entry.delete()[0]:
        return False
    if entry.preview.startswith(f"{FOLDER}/"):
        stores.discard([entry.preview])
    stream.publish_frozen(piece)
    stream.log("cleanup", f"{piece} taken off the frozen list")
    return True


def note_result(grab: Grab, result: CaptureResult) -> None:
    """List a piece that did not move, and take one off that does; of one that staff froze, renew the still."""
    entry = FrozenPiece.objects.filter(piece=grab.piece).first()
    if entry is not None and entry.reason == FrozenPiece.STAFF:
        preview = _keep_still(grab.piece) or entry.preview
        FrozenPiece.objects.filter(pk=entry.pk).update(preview=preview, grab=grab, last_attempt=timezone.now())
        if entry.preview != preview and entry.preview.startswith(f"{FOLDER}/"):
            stores.discard([entry.preview])
        stream.publish_frozen(grab.piece)
    elif result.still_reason in ("frozen", "flat"):
        _list(grab, result)
    elif entry is not None and result.frames > 1 and grab.spec.get("still", True):
        unfreeze(grab.piece)


def _list(grab: Grab, result: CaptureResult) -> None:
    flat = result.still_reason == "flat"
    text = f"dud, UNIFORM_COLOR:{result.flat_color}" if flat else "frozen"
    reason, error = "flat" if flat else "frozen", f"{text}, still frame returned"
    preview = grab.artifact.key if grab.artifact and result.format is not Format.MP4 else grab.poster
    fields = {"reason": reason, "error": error, "preview": preview, "grab": grab}
    entry, created = FrozenPiece.objects.get_or_create(piece=grab.piece, defaults=fields)
    if not created:
        again = {"attempts": F("attempts") + 1, "last_attempt": timezone.now()}
        FrozenPiece.objects.filter(pk=entry.pk).update(**fields, **again)
    stream.publish_frozen(grab.piece)
    stream.log("warn", f"{grab.piece} is {reason}: listed as frozen", grab.public_id)


def check(wish: GrabRequest) -> Grab | None:
    """Return the capture that shows an unmoving piece just as this wish would. Raises Frozen where staff froze it."""
    entry = FrozenPiece.objects.filter(piece=wish.piece).select_related("grab__artifact").first()
    if entry is None:
        return None
    if entry.reason == FrozenPiece.STAFF:
        raise Frozen(entry, wish)
    return entry.grab if entry.grab and _shows(entry.grab, wish) else None


def _shows(grab: Grab, wish: GrabRequest) -> bool:
    """Return whether a still answers a wish too: the same view, for no longer than the piece stood still."""
    if grab.artifact is None or not grab.expires_at or grab.expires_at <= timezone.now() or grab.spec.get("formats"):
        return False
    made = GrabRequest.from_json(grab.spec)
    same_file = made.format == wish.format and made.quality == wish.quality
    return same_file and wish.still and made.duration_ms >= wish.duration_ms and made.view == wish.view


# --- its still ------------------------------------------------------------------------------------------------------


async def answer(frozen: Frozen) -> HttpResponse:
    """Return the still in the format and size that were asked for, or a placeholder that says what it is."""
    wish = frozen.wish
    data = await sync_to_async(still)(frozen.entry, wish.format, wish.pixel_size)
    return HttpResponse(data, content_type=wish.format.mime, headers=HEADERS)


def still(entry: FrozenPiece, format_: Format, size: tuple[int, int]) -> bytes:
    """Return the bytes of a frozen piece's still; `size` in pixels."""
    return _rendered(entry.piece, entry.preview, format_, size)


@lru_cache(RENDERED)
def _rendered(piece: str, key: str, format_: Format, size: tuple[int, int]) -> bytes:
    picture = _open(key) if key else None
    if picture is None:
        return encode_one_frame(frozen_placeholder(*size, piece), format_)
    return encode_one_frame(ImageOps.fit(picture, size, Image.Resampling.LANCZOS), format_)


def _keep_still(piece: str) -> str:
    """Store the last frame of the newest good capture as a PNG; return its key, or nothing where there is none."""
    for key in _candidates(piece):
        if (picture := _open(key)) is None:
            continue
        out = io.BytesIO()
        picture.save(out, "PNG")
        kept = f"{FOLDER}/{slug(piece)}-{secrets.token_hex(4)}.png"
        try:
            stores.keep_bytes(out.getvalue(), kept, "image/png")
        except stores.StoreError as error:
            log.warning("the still of %s could not be stored: %s", piece, error)
            return ""
        return kept
    return ""


def _candidates(piece: str) -> Iterator[str]:
    """Yield keys of pictures: of the captures themselves, then small ones of their first frames."""
    good = Grab.objects.filter(piece=piece, state=State.COMPLETE).select_related("artifact").order_by("-created_at")
    grabs = list(good[:CANDIDATES])
    for grab in grabs:
        if grab.artifact and Path(grab.artifact.key).suffix != f".{Format.MP4}":
            yield grab.artifact.key
    for grab in grabs:
        if grab.poster:
            yield grab.poster


def _open(key: str) -> Image.Image | None:
    """Return the last frame of a stored picture; None when it is not there or cannot be read."""
    try:
        with stores.store_of("art").open(key) as file, Image.open(file) as found:
            found.seek(getattr(found, "n_frames", 1) - 1)
            return found.convert("RGBA" if found.mode in ("RGBA", "LA", "PA", "P") else "RGB")
    except Exception as error:  # of the store, or of whatever Pillow meets in a file
        log.warning("%s cannot be shown: %s", key, error)
        return None
