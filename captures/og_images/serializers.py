"""What the card routes say in JSON, and what the page of all cards shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from captures.engine.cards.spec import Layout
from captures.og_images.models import NOTEPAT_FRESH, Card, today
from oven.events.stream import epoch_ms
from oven.jobs.states import ACTIVE, State

OG_LAYOUTS = (Layout.FEATURED, Layout.MOSAIC, Layout.FILMSTRIP, Layout.CODE_SPLIT)
VALID = [str(layout) for layout in OG_LAYOUTS]
ABOUT = {
    Layout.MOSAIC: "The sixteen most played pieces behind the site's name.",
    Layout.FEATURED: "The piece of the day, as large as the card.",
    Layout.FILMSTRIP: "Five moments of the piece of the day.",
    Layout.CODE_SPLIT: "The piece of the day beside its program.",
    Layout.NOTEPAT: "The pads of the chromatic piano.",
    Layout.BACKDROP: "A moving piece in large pixels, for the ground of a page.",
}
ADDRESSES = {
    **{layout: f"/kidlisp-og?layout={layout}" for layout in OG_LAYOUTS},
    Layout.NOTEPAT: "/notepat-og.png",
    Layout.BACKDROP: "/kidlisp-backdrop",
}


def status() -> dict[str, Any]:
    """The whole of /kidlisp-og/status. The newest card of today speaks for all."""
    newest = Card.objects.filter(layout__in=VALID, state=State.COMPLETE, artifact__isnull=False, day=today())
    card = newest.select_related("artifact").order_by("-id").first()
    midnight = datetime.combine(today() + timedelta(days=1), time(), UTC)
    return {
        "cached": card is not None,
        "url": card.url if card else None,
        "expires": midnight.isoformat().replace("+00:00", "Z") if card else None,
        "generatedAt": epoch_ms(card.ended_at) if card else None,
        "featuredPiece": card.featured if card else None,
        "availableLayouts": VALID,
        "usage": {
            "recommended": "/kidlisp-og.png",
            "withLayout": "/kidlisp-og.png?layout=mosaic",
            "dynamic": "/kidlisp-og?layout=featured",
            "forceRegenerate": "/kidlisp-og?layout=featured&force=true",
        },
        "note": "The recommended address answers at once, with the card of today or the last one there is.",
    }


@dataclass(frozen=True, slots=True)
class View:
    """A card as the page shows it. `state`: made, old, failed, making or none; `card` is what can be shown."""

    layout: Layout
    address: str
    about: str
    card: Card | None
    state: str
    error: str = ""

    @property
    def force(self) -> str:
        return self.address + ("&" if "?" in self.address else "?") + "force=true"

    @property
    def title(self) -> str:
        return str(self.layout).replace("-", " ")

    @property
    def shows(self) -> str:
        """Which piece, or how many."""
        if self.card is None or not self.card.pieces:
            return ""
        if self.card.featured:
            return f"${self.card.featured['code']}"
        return f"{len(self.card.pieces)} piece{'s' * (len(self.card.pieces) != 1)}"

    @property
    def square(self) -> bool:
        return self.layout is Layout.BACKDROP


def views() -> list[View]:
    return [_view(layout) for layout in (*OG_LAYOUTS, Layout.NOTEPAT, Layout.BACKDROP)]


def _view(layout: Layout) -> View:
    good = Card.objects.good(layout).first()
    newest = Card.objects.filter(layout=layout).order_by("-id").first()
    state = "none" if good is None else "made" if _is_fresh(good) else "old"
    error = ""
    if newest is not None and newest.state in ACTIVE:
        state = "making"
    elif newest is not None and newest.state == State.FAILED:
        state, error = "failed", newest.error_message
    return View(layout, ADDRESSES[layout], ABOUT[layout], good, state, error)


def _is_fresh(card: Card) -> bool:
    if card.layout == Layout.NOTEPAT:
        return card.ended_at is not None and datetime.now(UTC) - card.ended_at < NOTEPAT_FRESH
    return card.day == today()


__all__ = ["OG_LAYOUTS", "VALID", "View", "status", "views"]
