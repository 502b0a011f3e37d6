"""Submit bakes, and record what the site reports about them. `bakes.runner` runs them."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from bakes.models import Bake, Delivery, IncomingTape, Site, tell_site
from bakes.requests import BakeRequest, short
from oven.events import stream
from oven.jobs import lifecycle
from oven.jobs.models import requeue_source
from oven.jobs.states import ACTIVE, WAITING, Lane

INCOMING_S = 60


def secret_matches(given: object) -> bool:
    """Whether the caller knows the shared secret. None configured: nobody does."""
    known = str(settings.OVEN_CALLBACK_SECRET)
    return bool(known) and isinstance(given, str) and hmac.compare_digest(given.encode(), known.encode())


# --- asking ---------------------------------------------------------------------------------------------------------


def ask(
    wish: BakeRequest,
    *,
    source: str = "site",
    user: Any = None,
    requeued_from: Bake | None = None,
    lane: Lane = Lane.NOW,
) -> Bake:
    """Queues a bake. It replaces any other of the same tape that has not ended: the newest accepted wins."""
    bake = Bake(
        public_id=f"bake-{wish.code}-{secrets.token_hex(4)}",
        code=wish.code,
        slug=wish.slug,
        mongo_id=wish.mongo_id,
        zip_url=wish.zip_url,
        callback_url=wish.callback_url,
        source=source,
        requested_by=user,
        requeued_from=requeued_from,
        lane=lane,
    )
    with transaction.atomic():
        lifecycle.submit(bake)
        IncomingTape.objects.filter(code=wish.code).delete()
        _replace_older(bake)
    stream.log("queue", f"{bake.code}: tape accepted", bake.public_id)
    return bake


def _replace_older(bake: Bake) -> None:
    older = Bake.objects.filter(code=bake.code, pk__lt=bake.pk)
    for active in older.filter(state__in=ACTIVE):
        _cancel(active)
    older.filter(site=Site.TOLD).update(site=Site.NONE)
    for delivery in Delivery.objects.filter(bake__in=older, state__in=WAITING):
        _cancel(delivery)  # it would arrive after the newer one's, or say what is no longer true


def _cancel(job: Any) -> None:
    try:
        lifecycle.cancel(job)
    except lifecycle.StateMismatch:
        return  # it has ended in this very moment


def ask_again(bake: Bake, *, user: Any = None) -> Bake:
    """The same tape once more, as a new row."""
    wish = BakeRequest(bake.code, bake.slug, bake.mongo_id, bake.zip_url, bake.callback_url)
    return ask(wish, source=requeue_source(bake.source), user=user, requeued_from=bake, lane=Lane.BATCH)


class NothingToReplay(ValueError):
    """The bake has not ended, or its message is still on its way."""


def replay(bake: Bake) -> Delivery:
    """Sends the last message about a bake again, now. Raises NothingToReplay."""
    last = bake.deliveries.order_by("-id").first()
    if last is None or last.active:
        raise NothingToReplay(f"{bake} has no message that could be sent again.")
    with transaction.atomic():
        delivery = tell_site(bake, replay_of=last)
    show_again(bake)
    return delivery


# --- what the site says ---------------------------------------------------------------------------------------------


def announce(code: str, slug: str, mongo_id: str = "", details: str = "") -> IncomingTape:
    """A tape is coming: shown for a minute, unless it is baked before."""
    fields = {"slug": slug, "mongo_id": mongo_id, "details": short(details), "detected_at": timezone.now()}
    tape, _ = IncomingTape.objects.update_or_create(code=code, defaults=fields)
    stream.publish_tape(code)
    stream.log("info", f"{code}: tape announced")
    return tape


def incoming() -> list[IncomingTape]:
    young = timezone.now() - timedelta(seconds=INCOMING_S)
    return list(IncomingTape.objects.filter(detected_at__gt=young).order_by("-detected_at"))


def site_reports(code: str, status: str, details: str, *, trusted: bool) -> bool:
    """How far the site is with a bake. False when no bake of this code waits for it, and the caller has no token."""
    bake = _reported(code, trusted)
    if bake is None:
        return False
    fields = {"site_status": short(status, 40), "site_details": short(details), "site_at": timezone.now()}
    Bake.objects.filter(pk=bake.pk).update(**fields)
    show_again(bake)
    return True


def site_completes(code: str, success: bool, error: str, *, trusted: bool) -> bool:
    """The site is through with a bake, whose callback may still be open."""
    bake = _reported(code, trusted)
    if bake is None:
        return False
    Bake.objects.filter(pk=bake.pk).update(
        site=Site.DONE,
        site_status="complete" if success else "failed",
        site_success=success,
        site_details=short(error),
        site_at=timezone.now(),
    )
    show_again(bake)
    stream.log(
        "success" if success else "warn",
        f"{code}: the site is done" + (f": {short(error)}" if error else ""),
        bake.public_id,
    )
    return True


def _reported(code: str, trusted: bool) -> Bake | None:
    bakes = Bake.objects.filter(code=code).exclude(state__in=ACTIVE)
    return (bakes if trusted else bakes.filter(site=Site.TOLD)).order_by("-id").first()


def show_again(bake: Bake) -> None:
    """What is shown of an ended bake has changed."""
    bake.refresh_from_db()
    stream.publish_job("job.ended", bake)


def delete_incoming() -> dict[str, int]:
    """Delete announcements of tapes that have not been baked in time."""
    old = timezone.now() - timedelta(seconds=INCOMING_S)
    dropped, _ = IncomingTape.objects.filter(detected_at__lt=old).delete()
    return {"incoming": dropped}
