"""The site's list of pieces, which is not ours: fetched within limits, and read as if it were hostile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from captures.engine.cards.similar import distinct
from captures.engine.cards.spec import Layout, Piece
from captures.engine.cards.text import clean
from captures.requests import check_piece
from oven.egress.client import Door, FetchError, fetch
from oven.errors import BadRequest

WANTED = {Layout.BACKDROP: 50}
WANTED_OF_OTHERS = 40
READ_MOST = 10_000  # items of the list
CODE_CHARS, SOURCE_CHARS, HANDLE_CHARS, MOST_HITS = 60, 20_000, 40, 10**12
LIST_MB, LIST_S, SILENCE_S = 8, 10.0, 5.0


class ListError(Exception):
    """The list names nothing that could be shown: `code` to filter by, a sentence, whether to try again."""

    def __init__(self, code: str, message: str, retry: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.retry = code, message, retry


def address(limit: int) -> str:
    return str(settings.OVEN_CARD_LIST_URL).format(origin=settings.OVEN_PIECE_ORIGIN, limit=limit)


async def top_pieces(layout: Layout) -> list[Piece]:
    """The most played pieces, near-duplicates left out. Raises ListError."""
    limit = WANTED.get(layout, WANTED_OF_OTHERS)
    url = address(limit)
    parts = urlsplit(url)
    door = Door(
        origins=(f"{parts.scheme}://{parts.netloc}",),
        max_bytes=LIST_MB << 20,
        connect_s=SILENCE_S,
        idle_s=SILENCE_S,
        total_s=LIST_S,
    )
    try:
        data = await fetch(url, door)
    except FetchError as error:
        message = f"The list of pieces could not be fetched: {error.message}"
        raise ListError(f"list_{error.code}", message, error.retry) from None
    return parse(data, limit)


def parse(data: bytes, limit: int) -> list[Piece]:
    """The first `limit` distinct pieces of an answer. Raises ListError when there is none."""
    try:
        answer = json.loads(data)
        items = answer["media"]["kidlisp"]
        if not isinstance(items, list):
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ListError("list_broken", "The list of pieces is not of the expected form.", retry=True) from None
    found = distinct(_valid(items[:READ_MOST]), limit)
    if not found:
        raise ListError("list_empty", "The list of pieces names none that could be shown.", retry=True)
    return found


def _valid(items: list[Any]) -> Iterator[Piece]:
    """What can be a piece; everything else is passed over, and a name that came before."""
    seen = set()
    for item in items:
        piece = _piece(item)
        if piece is not None and piece.code not in seen:
            seen.add(piece.code)
            yield piece


def _piece(item: Any) -> Piece | None:
    if not isinstance(item, dict) or not isinstance(code := item.get("code"), str):
        return None
    code = code.strip().removeprefix("$")
    try:
        check_piece(f"${code}")
    except BadRequest:
        return None
    if not code or len(code) > CODE_CHARS or clean(code) != code:
        return None
    hits, source, owner = item.get("hits"), item.get("source"), item.get("owner")
    handle = owner.get("handle") if isinstance(owner, dict) else None
    return Piece(
        code=code,
        hits=min(max(0, hits), MOST_HITS) if isinstance(hits, int) else 0,
        source=source[:SOURCE_CHARS] if isinstance(source, str) else "",
        handle=clean(handle, HANDLE_CHARS) if isinstance(handle, str) else "",
    )
