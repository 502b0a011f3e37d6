"""Asking for grabs, the frozen list, what is cleared away. Running is `captures.running`, for workers only."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from captures.engine.spec import CaptureResult, Format
from captures.keeps.models import protected_artifacts
from captures.models import FrozenPiece, Grab, PieceName
from captures.requests import GrabRequest, slug
from oven_site.access import throttles
from oven_site.artifacts import stores
from oven_site.health import counters
from oven_site.jobs import lifecycle
from oven_site.jobs.states import Lane, State
from oven_site.live import events

log = logging.getLogger(__name__)


QueueFull = lifecycle.QueueFull


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a wish: a finished capture (`cached`), or an active one that is new or was `joined`."""

    grab: Grab
    cached: bool = False
    joined: bool = False


# --- asking ---------------------------------------------------------------------------------------------------------


def ask(
    wish: GrabRequest,
    *,
    skip_cache: bool = False,
    source: str = "manual",
    keep_id: str = "",
    user: Any = None,
    lane: Lane | None = None,
    again_of: Grab | None = None,
) -> Asked:
    """A capture of the wish: the cached one, the one under way, or a new one. Raises QueueFull and Throttled.

    Only callers who may claim priority should pass source "keep".
    """
    key = wish.capture_key
    if not skip_cache and (found := Grab.objects.cached(key)):
        counters.count("oven_cache_lookups", "grab", "hit")
        return Asked(found, cached=True)
    if active := Grab.objects.active_with(key):
        counters.count("oven_cache_lookups", "grab", "joined")
        return Asked(lifecycle.hasten(active), joined=True)
    counters.count("oven_cache_lookups", "grab", "miss")
    lifecycle.check_ceiling(Grab)
    throttles.charge(throttles.Rule.CAPTURES)
    width, height = wish.outputs[0].pixel_size
    grab = Grab(
        public_id=new_id(wish.piece),
        piece=wish.piece,
        format=wish.format,
        out_width=width,
        out_height=height,
        purpose=wish.purpose,
        capture_key=key,
        keep_id=keep_id[:80],
        source=source[:40],
        lane=lane or (Lane.KEEP if source == "keep" else Lane.NOW),
        requested_by=user,
        spec=wish.as_json(),
        again_of=again_of,
    )
    try:
        with transaction.atomic():  # what was under way at the first look, and ended before the second, is seen here
            if not skip_cache and (found := Grab.objects.cached(key)):
                return Asked(found, cached=True)
            return Asked(lifecycle.submit(grab))
    except IntegrityError:  # somebody asked for the same in this very moment
        active = Grab.objects.active_with(key) or Grab.objects.cached(key)
        if active is None:
            raise
        return Asked(active, joined=True)


def ask_again(grab: Grab, *, skip_cache: bool = False, user: Any = None) -> Asked:
    """The same capture once more, as a new row: the old one stays as it is."""
    wish = GrabRequest.from_json(grab.spec)
    return ask(
        wish, skip_cache=skip_cache, source="again", user=user, lane=Lane.BATCH, again_of=grab, keep_id=grab.keep_id
    )


_COPIED = ("id", "piece", "format", "out_width", "out_height", "purpose", "keep_id", "spec")


def copies(grabs: QuerySet[Grab], *, skip_cache: bool) -> list[dict[str, Any]]:
    """Fields of rows that ask for the same again; unless told otherwise, not for what is in the cache."""
    made = [_copy(dict(zip(_COPIED, row, strict=True))) for row in grabs.values_list(*_COPIED)]
    if skip_cache:
        return made
    good = Grab.objects.filter(state=State.COMPLETE, artifact__isnull=False, expires_at__gt=timezone.now())
    keys = [fields["capture_key"] for fields in made]
    cached = set(good.filter(capture_key__in=keys).values_list("capture_key", flat=True))
    return [fields for fields in made if fields["capture_key"] not in cached]


def _copy(row: dict[str, Any]) -> dict[str, Any]:
    key = GrabRequest.from_json(row["spec"]).capture_key
    return {"public_id": new_id(row["piece"]), "capture_key": key, "again_of_id": row.pop("id"), **row}


def new_id(piece: str) -> str:
    return f"{slug(piece)}-{secrets.token_hex(4)}"


# --- looking for pieces ---------------------------------------------------------------------------------------------


def known_pieces(prefix: str, limit: int = 20) -> list[str]:
    """Names that were asked for and begin so, in any case: for completion."""
    found = PieceName.objects.filter(name__istartswith=prefix.strip())
    return list(found.order_by("name").values_list("name", flat=True)[:limit])


def pieces_with(text: str, limit: int) -> list[str]:
    """Names that were asked for and hold the text, in any case."""
    return list(PieceName.objects.filter(name__icontains=text).order_by().values_list("name", flat=True)[:limit])


def with_key(text: str, limit: int = 5_000) -> list[int]:
    """Keys of the grabs with exactly this id or capture key."""
    by_id = Grab.objects.filter(public_id=text).order_by().values_list("pk", flat=True)
    return list(by_id) or list(Grab.objects.filter(capture_key=text).order_by().values_list("pk", flat=True)[:limit])


# --- frozen pieces --------------------------------------------------------------------------------------------------


def list_frozen(grab: Grab, result: CaptureResult) -> None:
    """Lists a piece that did not move; a repeat counts up."""
    flat = result.still_reason == "flat"
    error = (
        f"dud, UNIFORM_COLOR:{result.flat_color}, still frame returned" if flat else "frozen, still frame returned"
    )
    reason = "flat" if flat else "frozen"
    preview = grab.artifact.key if grab.artifact and result.format is not Format.MP4 else grab.poster
    entry, created = FrozenPiece.objects.get_or_create(
        piece=grab.piece, defaults={"reason": reason, "error": error, "preview": preview, "grab": grab}
    )
    if not created:
        FrozenPiece.objects.filter(pk=entry.pk).update(
            attempts=F("attempts") + 1,
            last_attempt=timezone.now(),
            error=error,
            reason=reason,
            preview=preview,
            grab=grab,
        )
    events.publish_frozen(grab.piece)
    events.log("warn", f"{grab.piece} is {reason}: listed as frozen", grab.public_id)


def freeze(piece: str, reason: str, user: Any = None) -> FrozenPiece:
    """Puts a piece on the list by hand."""
    entry, _ = FrozenPiece.objects.update_or_create(
        piece=piece, defaults={"reason": "staff", "error": reason or f"listed by {user or 'staff'}"}
    )
    events.publish_frozen(piece)
    return entry


def unfreeze(piece: str) -> bool:
    """Takes a piece off the list; False when it was not on it."""
    deleted, _ = FrozenPiece.objects.filter(piece=piece).delete()
    if deleted:
        events.publish_frozen(piece)
        events.log("cleanup", f"{piece} taken off the frozen list")
    return bool(deleted)


# --- housekeeping ---------------------------------------------------------------------------------------------------


def housekeep() -> dict[str, int]:
    """Deletes the files of expired captures (their rows stay as history), but none of a keep or a pin under way."""
    dropped = 0
    listed = set(FrozenPiece.objects.exclude(preview="").values_list("preview", flat=True))
    for artifact in stores.expired(timezone.now()).exclude(pk__in=protected_artifacts()).iterator():
        if artifact.key in listed:
            continue
        try:
            stores.drop(artifact)
        except stores.StoreError as error:
            log.warning("expired %s not deleted: %s", artifact, error)
            continue
        dropped += 1
    return {"expired": dropped}


def retained(grabs: QuerySet[Grab]) -> QuerySet[Grab, int]:
    """Those that answer whoever asks for the same again: of every picture the newest good one, until it expires."""
    good = Grab.objects.filter(state=State.COMPLETE, artifact__isnull=False, expires_at__gt=timezone.now())
    newer = good.filter(capture_key=OuterRef("capture_key"), pk__gt=OuterRef("pk"))
    return grabs.filter(pk__in=good).exclude(Exists(newer)).values_list("pk", flat=True)
