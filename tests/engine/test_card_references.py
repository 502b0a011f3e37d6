"""Every layout, of the demo pieces captured by a real browser, against a stored picture of it.

To renew them after a wanted change: CARD_REFERENCES=renew pytest tests/engine/test_card_references.py, then look at
the pictures in tests/engine/cards.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from captures.engine.cards.compose import compose, frames_of, pieces_of, shot_of
from captures.engine.cards.similar import distinct
from captures.engine.cards.spec import Layout, Piece, Shot, Shown
from captures.engine.host import EngineHost
from captures.og_images.planning import wish_of
from pieces.serve import kidlisp
from tests.harness.sizes import sampled
from tests.piece_server import PieceServer
from tests.similarity import ssim

REFERENCES = Path(__file__).parent / "cards"
PIECES = [Piece(entry["code"], entry["hits"], entry["source"], entry["handle"]) for entry in kidlisp().values()]
LEAST = 0.98
# Slow pieces: how soon a page is seen to be ready differs by a tick or two, and a fast one would have moved on.
SHOWN = {Layout.FEATURED: "dunes", Layout.FILMSTRIP: "dial", Layout.CODE_SPLIT: "dial"}

Taken = Callable[[Layout, list[Piece]], list[Shown]]


@pytest.fixture(scope="module")
def known() -> dict[tuple[Shot, str], Shown]:
    """Captures that were made already, by what was asked for and the code of the piece."""
    return {}


@pytest.fixture
def taken(
    host: EngineHost, site: PieceServer, settings: Any, tmp_path: Path, known: dict[tuple[Shot, str], Shown]
) -> Taken:
    settings.OVEN_PIECE_ORIGIN = site.origin

    def take(layout: Layout, pieces: list[Piece]) -> list[Shown]:
        shot = shot_of(layout)
        if shot is None:
            return []
        for piece in pieces:
            if (shot, piece.code) not in known:
                place = tmp_path / piece.code
                place.mkdir()
                result = host.capture(wish_of(piece, shot).to_spec(), place).result(60)
                known[shot, piece.code] = Shown(piece, frames_of(result.path, shot.frames))
        return [known[shot, piece.code] for piece in pieces]

    return take


DRAWN = [layout for layout in Layout if layout is not Layout.BACKDROP]


@pytest.mark.parametrize(
    "layout",
    sampled(
        DRAWN,
        [Layout.FILMSTRIP],
        "tests/captures/og_images draws every layout of given pictures; tests/e2e makes one of one piece",
    ),
)
def test_a_card_looks_like_its_reference(layout: Layout, taken: Taken) -> None:
    single = [piece for piece in PIECES if piece.code == SHOWN.get(layout)]
    data = compose(layout, taken(layout, single or distinct(PIECES, pieces_of(layout) // 2)))  # a mosaic repeats them
    made = Image.open(io.BytesIO(data))
    path = REFERENCES / f"{layout}.webp"
    if os.environ.get("CARD_REFERENCES") == "renew":
        made.save(path, quality=95, method=6)
    assert ssim(made, Image.open(path)) >= LEAST


def test_the_moments_of_a_filmstrip_differ(taken: Taken) -> None:
    [strip] = taken(Layout.FILMSTRIP, [piece for piece in PIECES if piece.code == "dial"])
    assert len(strip.frames) == 5
    assert all(ssim(one, other) < 0.999 for one, other in zip(strip.frames, strip.frames[1:], strict=False))


def test_the_comparison_tells_cards_apart() -> None:
    one, other = (Image.open(REFERENCES / f"{layout}.webp") for layout in ("featured", "code-split"))
    moved = Image.new("RGB", one.size)
    moved.paste(one, (3, 3))
    assert ssim(one, one) == pytest.approx(1.0)
    assert ssim(one, other) < 0.8
    assert ssim(one, moved) < LEAST
