"""A piece in large pixels, moving: the capture itself, nothing is drawn over it."""

from __future__ import annotations

from captures.engine.cards.spec import Shot

SHOT = Shot(256, 256, density=4, frames=90, every_ms=1000 / 7.5, quality=85)
PIECES = 1
