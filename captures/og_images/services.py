"""Submit cards, and keep the site's own ones new. `captures.og_images.runner` makes them."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from captures.engine.cards.spec import Layout
from captures.og_images.models import Card, key_of, today
from oven.accounts import throttles
from oven.jobs import lifecycle
from oven.jobs.models import requeue_source
from oven.jobs.states import Lane, State

REGULAR = (Layout.MOSAIC, Layout.FEATURED)  # what the site's pages link to
START_DELAY_S = 10.0
PAUSE = timedelta(minutes=1)  # after a failure, until a request may start another try
REGULAR_PAUSE = timedelta(minutes=10)  # the same for the scheduler
_looked_first: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a wish: a finished card (`cached`), an active one, or one that has just failed."""

    card: Card
    cached: bool = False
    joined: bool = False


def ask(
    layout: Layout,
    *,
    anew: bool = False,
    recapture: bool = False,
    source: str = "api",
    user: Any = None,
    lane: Lane = Lane.NOW,
    requeued_from: Card | None = None,
) -> Asked:
    """A layout's card of today: the good one, the one being made, or a new one.

    `anew` makes another one although there is one; `recapture` makes no use of captures that are there.
    Raises Throttled.
    """
    if not anew and (card := Card.objects.fresh(layout)):
        return Asked(card, cached=True)
    day = today()
    key = key_of(layout, day)
    if active := Card.objects.active_with(key):
        return Asked(active, joined=True)
    if not anew and (failed := _just_failed(key)):
        return Asked(failed, joined=True)
    throttles.charge(throttles.Rule.CAPTURES)
    card = Card(
        public_id=f"card-{layout}-{secrets.token_hex(4)}",
        layout=layout,
        day=day,
        key=key,
        source=source[:40],
        requested_by=user,
        lane=lane,
        spec={"recapture": recapture},
        requeued_from=requeued_from,
    )
    try:
        return Asked(lifecycle.submit(card))
    except IntegrityError:  # somebody asked for the same in this very moment
        active = Card.objects.active_with(key) or Card.objects.fresh(layout)
        if active is None:
            raise
        return Asked(active, joined=True)


def refresh(card: Card, *, user: Any = None) -> Asked:
    """Today's card of the same layout once more, from new captures."""
    layout = Layout(card.layout)
    return ask(
        layout,
        anew=True,
        recapture=True,
        source=requeue_source(card.source),
        user=user,
        lane=Lane.BATCH,
        requeued_from=card,
    )


def _just_failed(key: str) -> Card | None:
    """Whoever asks next is told the same, instead of the site being asked again and again."""
    newest = Card.objects.filter(key=key).order_by("-id").first()
    if newest is None or newest.state != State.FAILED or newest.ended_at is None:
        return None
    return newest if timezone.now() - newest.ended_at < PAUSE else None


def make_due_cards() -> None:
    """Make the regular cards that are due; called every few seconds. The first time shortly after the start."""
    global _looked_first
    now = time.monotonic()
    _looked_first = now if _looked_first is None else _looked_first
    if settings.OVEN_CARD_EVERY_S <= 0 or now - _looked_first < START_DELAY_S:
        return
    for layout in REGULAR:
        if due(layout):
            ask(layout, anew=True, source="scheduler", lane=Lane.BATCH)


def due(layout: Layout) -> bool:
    """Whether the scheduler is to make a card: none of today, or an old one; after a failure, some time later."""
    newest = Card.objects.filter(layout=layout).order_by("-id").first()
    if newest is None:
        return True
    if newest.ended_at is None:
        return False
    age = timezone.now() - newest.ended_at
    if newest.state == State.FAILED:
        return age >= REGULAR_PAUSE
    return newest.day != today() or age >= timedelta(seconds=settings.OVEN_CARD_EVERY_S)
