"""A site whose list of pieces a test writes, and hands that do the work of capture workers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from PIL import Image

from captures.engine.cards.spec import Layout
from captures.models import Grab
from captures.og_images import services
from captures.og_images.models import Card
from oven.jobs import lifecycle, worker
from oven.jobs.reconcile import sweep
from oven.jobs.states import WAITING
from oven.storage import stores
from tests.site_server import Site
from tests.support import rested, until

LIST = "/api/tv"


def items(count: int, start: int = 0) -> list[dict[str, Any]]:
    """A good list, the most played first; no two of its programs are alike."""
    return [
        {
            "code": f"p{index}",
            "hits": 9000 - index,
            "source": chr(0x4E00 + index) * 60,
            "owner": {"handle": "@ada"},
        }
        for index in range(start, start + count)
    ]


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    """Lists twenty pieces, until a test says otherwise by `site.lists(...)`."""
    with ListingSite() as server:
        settings.OVEN_PIECE_ORIGIN = server.origin
        settings.OVEN_CARD_LIST_URL = "{origin}/api/tv?types=kidlisp&sort=hits&limit={limit}"
        settings.OVEN_CARD_WAIT_S = 10.0
        server.lists(items(20))
        yield server


class ListingSite(Site):
    def lists(self, pieces: Any) -> None:
        self.answers_list(json.dumps({"media": {"kidlisp": pieces}}).encode())

    def answers_list(self, answer: Any) -> None:
        """Bytes, or what answers."""
        for limit in (40, 50):
            self.pages[f"{LIST}?types=kidlisp&sort=hits&limit={limit}"] = answer


@pytest.fixture
def scratch(settings: Any) -> Iterator[Path]:
    place = Path(settings.OVEN_DATA) / "scratch"
    place.mkdir(parents=True, exist_ok=True)
    yield place
    shutil.rmtree(Path(settings.OVEN_DATA) / "files", ignore_errors=True)


@pytest.fixture
def capture(scratch: Path) -> Callable[..., None]:
    """Does what capture workers do with all waiting grabs; those of pieces named in `broken` fail."""

    def work(*broken: str) -> None:
        for row in Grab.objects.filter(state__in=WAITING):
            grab: Any = lifecycle.claim("grab", row.pk, "test:1:1")
            if grab is None:
                continue
            if grab.piece in broken:
                lifecycle.fail(grab, "blank", "The page never drew anything.", retry=False)
                continue
            file = scratch / f"{grab.pk}.{grab.format}"
            size = (grab.out_width, grab.out_height)
            frames = [Image.new("RGB", size, color) for color in ("teal", "gold")]
            if grab.format == "webp":
                frames[0].save(file, save_all=True, append_images=frames[1:])
            else:
                frames[0].save(file)
            artifact = stores.keep(file, f"oven/grabs/{grab}.{grab.format}", f"image/{grab.format}")
            lifecycle.finish(grab, {}, artifact=artifact, expires_at=timezone.now() + timedelta(days=1))

    return work


@pytest.fixture
def made(site: Site, valkey: Any, capture: Callable[..., None], settings: Any) -> Callable[..., Card]:
    """Asks for a card, and works like all workers and the scheduler until it has ended."""
    settings.OVEN_RETRY_BASE_S = 0.05

    def make(layout: Layout, *broken: str, **options: Any) -> Card:
        card = services.ask(layout, **{"anew": True, **options}).card

        def ended() -> Card | None:
            card.refresh_from_db()
            if not card.active:
                return card
            if card.state in WAITING:
                sweep()
                worker.perform("card", card.pk)
            capture(*broken)
            return None

        until(ended, 30, every_s=0.02)
        until(lambda: rested("card"), 30)
        return card

    return make


@pytest.fixture
def planted(valkey: Any, scratch: Path) -> Callable[[Layout], Card]:
    """Writes a finished card of today with its picture, as a worker would have left it."""

    def plant(layout: Layout) -> Card:
        card: Any = lifecycle.claim("card", services.ask(layout, anew=True).card.pk, "test:1:1")
        file = scratch / Path(card.key).name
        Image.new("RGB", (1200, 630), "teal").save(file)
        artifact = stores.keep(file, card.key, f"image/{file.suffix[1:]}")
        one = layout not in (Layout.MOSAIC, Layout.NOTEPAT)
        shown = {"pieces": ["p0"], "featured": {"code": "p0", "hits": 9000, "handle": "@ada"}} if one else {}
        return lifecycle.finish(card, {}, artifact=artifact, **shown)  # type: ignore[no-any-return]

    return plant
