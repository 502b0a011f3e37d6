"""Programs that are nearly the same: on a card, one of them is enough."""

from __future__ import annotations

import re
from collections.abc import Iterable

from captures.engine.cards.spec import Piece

ALIKE = 0.90
COMPARABLE_CHARS = 50  # shorter programs are too small to be told apart
MEASURABLE_CHARS = 10
LOOKED_AT_CHARS = 8000  # of a program: more would cost time and change nothing


def distinct(pieces: Iterable[Piece], count: int) -> list[Piece]:
    """The first `count` pieces, in their order, without those that nearly equal one before."""
    kept: list[Piece] = []
    seen: list[tuple[str, frozenset[str]]] = []
    for piece in pieces:
        if len(kept) >= count:
            break
        if len(piece.source) >= COMPARABLE_CHARS:
            mine = _prepared(piece.source)
            if any(_alike(mine, other) >= ALIKE for other in seen):
                continue
            seen.append(mine)
        kept.append(piece)
    return kept


def similarity(one: str, other: str) -> float:
    """0 to 1: how many groups of three characters two sources have in common, case and spacing apart."""
    return _alike(_prepared(one), _prepared(other))


def _prepared(source: str) -> tuple[str, frozenset[str]]:
    text = re.sub(r"\s+", " ", source[:LOOKED_AT_CHARS].lower()).strip()
    return text, frozenset(text[at : at + 3] for at in range(len(text) - 2))


def _alike(one: tuple[str, frozenset[str]], other: tuple[str, frozenset[str]]) -> float:
    if one[0] == other[0]:
        return 1.0
    if min(len(one[0]), len(other[0])) < MEASURABLE_CHARS:
        return 0.0
    return len(one[1] & other[1]) / len(one[1] | other[1])
