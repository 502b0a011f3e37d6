"""Submit and find grabs, and delete expired files. `captures.runner` runs them."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from captures import failures, frozen
from captures.models import FrozenPiece, Grab, PieceName
from captures.requests import GrabRequest, slug
from oven.accounts import throttles
from oven.accounts.throttles import Rule
from oven.jobs import admission, lifecycle
from oven.jobs.models import requeue_source
from oven.jobs.states import Lane, State
from oven.ops.metrics import counters
from oven.storage import stores

log = logging.getLogger(__name__)


QueueFull = admission.QueueFull


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
    requeued_from: Grab | None = None,
) -> Asked:
    """Return a capture of the wish: the cached one, the one under way, or a new one.

    Only callers who may claim priority should pass source "keep". Raises Frozen, Throttled and NotAdmitted.
    """
    key, client = wish.capture_key, throttles.anonymous_client()
    if not skip_cache and (found := Grab.objects.cached(key) or (None if requeued_from else frozen.check(wish))):
        counters.count("oven_cache_lookups", "grab", "hit")
        return Asked(found, cached=True)
    if active := Grab.objects.active_with(key):
        counters.count("oven_cache_lookups", "grab", "joined")
        return Asked(lifecycle.join(active, client), joined=True)
    counters.count("oven_cache_lookups", "grab", "miss")
    if client:
        failures.check(wish)
        admission.check_storage(Grab, client)
    throttles.charge(Rule.CAPTURES, **{Rule.COST: wish.megapixels})
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
        client=client,
        lane=lane or _lane(wish, source, client),
        requested_by=user,
        spec=wish.as_json(),
        requeued_from=requeued_from,
    )
    try:
        with transaction.atomic():  # what was under way at the first look, and ended before the second, is seen here
            if not skip_cache and (found := Grab.objects.cached(key)):
                return Asked(found, cached=True)
            return Asked(lifecycle.submit(grab, limited=True))
    except IntegrityError:  # somebody asked for the same in this very moment
        active = Grab.objects.active_with(key) or Grab.objects.cached(key)
        if active is None:
            raise
        return Asked(active, joined=True)


def _lane(wish: GrabRequest, source: str, client: str) -> Lane:
    if source == "keep":
        return Lane.KEEP
    return Lane.HEAVY if client and wish.megapixels > settings.OVEN_HEAVY_MEGAPIXELS else Lane.NOW


def ask_again(grab: Grab, *, skip_cache: bool = False, user: Any = None) -> Asked:
    """The same capture once more, as a new row: the old one stays as it is."""
    wish = GrabRequest.from_json(grab.spec)
    return ask(
        wish,
        skip_cache=skip_cache,
        source=requeue_source(grab.source),
        user=user,
        lane=Lane.BATCH,
        requeued_from=grab,
        keep_id=grab.keep_id,
    )


_COPIED = ("id", "piece", "format", "out_width", "out_height", "purpose", "keep_id", "spec", "source")


def clone_fields(grabs: QuerySet[Grab], *, skip_cache: bool) -> list[dict[str, Any]]:
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
    made = {"public_id": new_id(row["piece"]), "capture_key": key, "requeued_from_id": row.pop("id")}
    return {**row, **made, "source": requeue_source(row["source"])}


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


# --- cleaning up ----------------------------------------------------------------------------------------------------


def delete_expired() -> dict[str, int]:
    """Delete the files of expired captures that no app protects. Their rows stay as history."""
    dropped = 0
    listed = set(FrozenPiece.objects.exclude(preview="").values_list("preview", flat=True))
    for artifact in stores.expired(timezone.now()).iterator():
        if artifact.key in listed:
            continue
        try:
            stores.drop(artifact)
        except stores.StoreError as error:
            log.warning("expired %s not deleted: %s", artifact, error)
            continue
        dropped += 1
    return {"expired": dropped}
