"""Which pieces a card shows, and how each is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

from django.conf import settings

from captures.engine.cards.compose import pieces_of
from captures.engine.cards.spec import Layout, Piece, Shot
from captures.engine.spec import Format
from captures.og_images.listing import ListError
from captures.requests import GrabRequest

FEATURED_OF = 10  # the piece of the day is one of so many
TRIES = 3  # a piece of the day that cannot be captured makes way for the next


def choices(layout: Layout, pieces: Sequence[Piece], day: date) -> list[list[Piece]]:
    """What to try, in this order: the pieces of one card each. Raises ListError."""
    if layout is Layout.MOSAIC:
        return [list(pieces[: pieces_of(layout)])]
    if layout is Layout.BACKDROP and (handle := settings.OVEN_BACKDROP_HANDLE):
        pieces = [piece for piece in pieces if piece.handle.lower() == handle.lower()]
        if not pieces:
            raise ListError("list_empty", f"The list of pieces names none by {handle}.")
    among = pieces[:FEATURED_OF]
    first = day.timetuple().tm_yday % len(among)
    return [[among[(first + turn) % len(among)]] for turn in range(min(TRIES, len(among)))]


def wish_of(piece: Piece, shot: Shot) -> GrabRequest:
    """The capture of a piece for a card. Its program is part of the key: a changed one is captured anew."""
    still = shot.frames == 1
    return GrabRequest(
        piece=piece.name,
        format=Format.PNG if still else Format.WEBP,
        width=shot.width,
        height=shot.height,
        duration_ms=12_000 if still else round(shot.frames * shot.every_ms),
        fps=7.5 if still else 1000 / shot.every_ms,
        density=shot.density,
        quality=shot.quality,
        cache_key=f"card-{hashlib.sha256(piece.source.encode(errors='replace')).hexdigest()[:16]}",
        at_ms=shot.at_ms,
    )
