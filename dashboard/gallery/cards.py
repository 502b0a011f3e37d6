"""The gallery's section of cards: the newest good one of every layout."""

from __future__ import annotations

from typing import Any

from captures.engine.cards.spec import Layout
from captures.og_images import services
from captures.og_images.models import Card
from dashboard.gallery import Entry, provide


def provide_all() -> None:
    provide("card", entries, refresh, "Cards", wide=True)


def entries(search: str, start: int, count: int) -> list[Entry]:
    """All layouts whose name holds `search`, those without a card too."""
    found = [entry(layout) for layout in Layout if search.lower() in layout]
    return found[start : start + count]


def entry(layout: Layout) -> Entry:
    card = Card.objects.good(layout).first()
    if card is None or card.artifact is None:
        return Entry(layout, layout, "", None)
    size = f"{card.artifact.width}×{card.artifact.height}"
    return Entry(layout, layout, card.url, card.ended_at, size, card.url, card.artifact.expires_at)


def refresh(key: str, user: Any) -> Card:
    """Raises LookupError for a layout that does not exist."""
    try:
        layout = Layout(key)
    except ValueError:
        raise LookupError(key) from None
    return services.ask(layout, anew=True, recapture=True, source="gallery", user=user).card
