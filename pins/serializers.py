"""The contract's JSON shapes of keeps: /keeps/all, and what /status carries of them."""

from __future__ import annotations

from typing import Any

from oven.events.stream import epoch_ms
from pins.models import Keep

THUMBS_OF = 50


def keep_record(keep: Keep) -> dict[str, Any]:
    """`timestamp` is epoch milliseconds."""
    return {
        "ipfsCid": keep.cid,
        "ipfsUri": keep.uri,
        "piece": keep.piece,
        "format": keep.format,
        "mimeType": keep.mime,
        "size": keep.bytes,
        "timestamp": epoch_ms(keep.pinned_at),
        "keepId": keep.keep_id or None,
    }


def all_keeps() -> dict[str, Any]:
    """The whole of /keeps/all."""
    latest = Keep.objects.newest()
    by_piece = Keep.objects.newest_by_piece()
    return {
        "latest": keep_record(latest) if latest else None,
        "byPiece": {piece: keep_record(keep) for piece, keep in by_piece.items()},
    }


def thumbs() -> dict[str, Any]:
    """By piece, of the newest keeps."""
    return {piece: keep_record(keep) for piece, keep in Keep.objects.newest_by_piece(THUMBS_OF).items()}


def status_parts(private: bool = False) -> dict[str, Any]:
    """What /status and /ws carry of keeps."""
    return {"grabs": {"ipfsThumbs": thumbs()}}
