"""Asking for pins. Running them is `pins.runner`, for workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from captures import services as captures
from captures.models import Grab
from captures.requests import GrabRequest, slug
from oven.errors import BadRequest
from oven.jobs import lifecycle
from oven.jobs.models import Job
from oven.jobs.states import ACTIVE, Lane, State
from oven.storage.models import Artifact
from pins.ipfs import backends
from pins.models import AGAIN, Keep, Pin, bare, new_id

HELD = timedelta(days=1)  # a pin whose capture does not end is looked at by then
KEYS_HELD = timedelta(minutes=10)  # the same for one whose keys only the asking process has


class Refused(BadRequest):
    """This job has no file that could be pinned, or there is nowhere to pin it."""

    def __init__(self, message: str) -> None:
        super().__init__("job", message)


@dataclass(frozen=True, slots=True)
class Asked:
    """A pin under way, and whether its capture was there already."""

    pin: Pin
    cached: bool


# --- asking ---------------------------------------------------------------------------------------------------------


def capture_and_pin(
    wish: GrabRequest,
    *,
    skip_cache: bool = False,
    source: str = "manual",
    keep_id: str = "",
    user: Any = None,
    own_keys: bool = False,
) -> Asked:
    """A capture, and a pin that follows it whoever still waits for it. Raises QueueFull."""
    found = captures.ask(wish, skip_cache=skip_cache, source=source, keep_id=keep_id, user=user)
    grab = found.grab
    pin = Pin(
        **_of_grab(grab),
        backend="pinata" if own_keys else settings.OVEN_PINNING,
        own_keys=own_keys,
        asked=True,
        keep_id=keep_id[:80],
        source=source[:40],
        lane=Lane.KEEP if source == "keep" else Lane.NOW,
        requested_by=user,
    )
    return Asked(_submit(pin, grab), found.cached)


def pin(
    job: Job, *, user: Any = None, backend: str | None = None, source: str = "staff", lane: Lane = Lane.NOW
) -> Pin:
    """Pins what a finished grab, bake or bundle has made. Raises Refused and QueueFull."""
    grab = job if isinstance(job, Grab) else None
    artifact = _artifact_of(job)
    if artifact is None:
        raise Refused(f"{job} has no file that could be pinned.")
    name = backend or settings.OVEN_PINNING
    _check_backend(name)
    facts = _of_grab(grab) if grab else _of_other(job, artifact)
    row = Pin(**facts, artifact=artifact, backend=name, source=source, requested_by=user, lane=lane)
    return _submit(row, grab)


def pin_again(row: Keep | Pin, *, user: Any = None) -> Pin:
    """Looks whether the back-end has a keep's (or an ended pin's) file, and pins it once more where it has not.

    Raises Refused and QueueFull.
    """
    artifact = row.artifact if isinstance(row, Keep) else row.kept or row.artifact
    if artifact is None or (isinstance(row, Pin) and row.active):
        raise Refused(f"{row} has no file that could be pinned, or is still under way.")
    _check_backend(row.backend)
    again = Pin(
        piece=row.piece,
        grab=row.grab,
        source_id=row.source_id,
        artifact=artifact,
        format=row.format,
        filename=f"{slug(row.piece)}-thumbnail.{row.format}" if isinstance(row, Keep) else row.filename,
        backend=row.backend,
        asked=row.asked,
        keep_id=row.keep_id,
        source=AGAIN,
        requested_by=user,
        lane=Lane.BATCH,
        requeued_from=row if isinstance(row, Pin) else None,
    )
    return _submit(again, None)


def _check_backend(name: str) -> None:
    try:
        backends.get(name)
    except backends.PinError as error:
        raise Refused(error.message) from None


def _submit(pin: Pin, grab: Grab | None) -> Pin:
    """The pin, or the active one of the same file. It waits for its capture where that has not ended."""
    pin.public_id = new_id(pin.piece)
    pin.max_attempts = 1 if pin.own_keys else len(settings.OVEN_PIN_DELAYS_S) + 1
    alone = pin.public_id if pin.own_keys else ""  # nobody's keys pin for others
    pin.pin_key = f"{pin.backend}:{pin.source_id}:{pin.keep_id}{alone}"
    with transaction.atomic():
        pin.due_at = _due(pin, grab)
        try:
            return lifecycle.submit(pin, limited=True)
        except IntegrityError:
            active = Pin.objects.filter(pin_key=pin.pin_key, state__in=ACTIVE).first()
            if active is None:
                raise
            return active


def _due(pin: Pin, grab: Grab | None) -> datetime | None:
    """With the capture's row held: it ends either before this look, or after the pin is there to be released."""
    if pin.own_keys:
        return timezone.now() + KEYS_HELD
    if grab is None or not Grab.objects.select_for_update().get(pk=grab.pk).active:
        return None
    pin.detail = "Waits for its capture"
    return timezone.now() + HELD


def _of_grab(grab: Grab) -> dict[str, Any]:
    name = f"{slug(grab.piece)}-thumbnail.{grab.format}"
    return {
        "piece": bare(grab.piece),
        "grab": grab,
        "source_id": grab.public_id,
        "format": grab.format,
        "filename": name,
    }


def _of_other(job: Job, artifact: Artifact) -> dict[str, Any]:
    piece = str(getattr(job, "piece", "") or getattr(job, "code", "") or job.public_id)
    format_ = "mp4" if artifact.mime == "video/mp4" else "html"
    return {
        "piece": bare(piece),
        "source_id": job.public_id,
        "format": format_,
        "filename": f"{slug(piece)}.{format_}",
    }


def _artifact_of(job: Job) -> Artifact | None:
    """What a finished job of any kind has made."""
    if job.state != State.COMPLETE:
        return None
    return getattr(job, "artifact", None) or getattr(job, "video", None)
