"""What a worker does for a card: read the list, have its pieces captured, compose the picture."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from PIL import Image

from captures.engine.cards.compose import Unreadable, compose, frames_of, shot_of
from captures.engine.cards.spec import SIZE, Layout, Piece, Shot, Shown
from captures.frozen import Frozen
from captures.models import Grab
from captures.og_images import services
from captures.og_images.listing import ListError, top_pieces
from captures.og_images.models import Card
from captures.og_images.planning import choices, wish_of
from captures.services import QueueFull
from captures.services import ask as ask_capture
from oven.egress.client import background
from oven.events import stream
from oven.jobs import lifecycle
from oven.jobs.context import Cancelled, JobContext
from oven.jobs.runner import JobRunner
from oven.jobs.states import ACTIVE, WAITING, Lane, State
from oven.storage import stores
from oven.storage.models import Artifact

LOOK_S = 0.2
CAPTURED, COMPOSED = 85, 92  # percent of the whole
FIRST = 5
LEAST = 4  # a mosaic of fewer is none, unless the site has no more


class PiecesFailed(Exception):
    """Too few of the pieces could be captured: `code`, a sentence, whether to try again."""

    def __init__(self, code: str, message: str, retry: bool = True) -> None:
        super().__init__(message)
        self.code, self.message, self.retry = code, message, retry


class CardRunner(JobRunner):
    """Make a card. Whatever goes wrong, the picture that exists stays.

    It mostly waits for captures that other workers make, and so runs in a thread beside others of its kind.
    """

    name = "card"
    model = Card
    pool = "deliver"
    timeout_s = 300
    max_concurrent = 16  # more than there can be: one of each layout and day, so that none delays another kind
    related = ("artifact",)
    search_field = "layout"
    can_requeue = True
    storage_prefixes = ("art:og", "art:backdrop")
    failures: ClassVar[tuple[type[Exception], ...]] = (ListError, PiecesFailed)
    store_failure = "The picture could not be stored or read."

    def work(self, context: JobContext, place: Path) -> None:
        card: Card = context.job
        stream.log("info", f"{card}: making the {card.title}")
        try:
            taken = self._captures(context, card)
            path = self._picture(context, card, taken, place)
        except QueueFull:
            self.fail(context, "queue_full", "The queue is full: the pieces could not be captured.", retry=True)
            return
        except Unreadable as error:
            context.note(f"unreadable: {error}")
            self.fail(context, "unreadable", "A capture could not be read.", retry=True)
            return
        artifact = self._store(context, card, path)
        self._publish(context, card, taken, artifact)

    def fail(self, context: JobContext, code: str, message: str, retry: bool, delay: timedelta | None = None) -> Card:
        card: Any = super().fail(context, code, message, retry, delay)
        if card.state == State.FAILED:
            last = Card.objects.good(Layout(card.layout)).first()
            stays = f"The one of {last.day} stays." if last else "There is none yet."
            stream.log("warn", f"The {card.title} could not be made. {message} {stays}")
        return card  # type: ignore[no-any-return]

    def requeue(self, job: Card, *, user: Any = None, skip_cache: bool = False) -> Card:
        return services.refresh(job, user=user).card

    def periodic(self) -> None:
        services.make_due_cards()

    def retained(self, rows: QuerySet[Any]) -> Iterable[int]:
        """Keep the newest good one of every layout, which is shown until there is a newer one."""
        newer = Card.objects.filter(state=State.COMPLETE, layout=OuterRef("layout"), pk__gt=OuterRef("pk"))
        return rows.filter(state=State.COMPLETE).exclude(Exists(newer)).values_list("pk", flat=True)

    def _captures(self, context: JobContext, card: Card) -> list[tuple[Piece, Grab]]:
        """The pieces of the card with their finished captures; nothing for a layout that shows none."""
        layout = Layout(card.layout)
        shot = shot_of(layout)
        if shot is None:
            return []
        context.report("listing", 2, "Reading the list of pieces")
        with self.timed(context, "listing"):
            pieces = context.wait(background(top_pieces(layout)))
        deadline = time.monotonic() + settings.OVEN_CARD_WAIT_S
        with self.timed(context, "capture"):
            for chosen in choices(layout, pieces, card.day):
                taken, cancelled = _take(context, card, chosen, shot, deadline)
                if len(taken) >= min(LEAST, len(chosen)):
                    return taken
                if cancelled:
                    raise PiecesFailed("pieces_cancelled", "The captures of its pieces were cancelled.", retry=False)
        if time.monotonic() >= deadline:
            message = f"The pieces were not captured within {settings.OVEN_CARD_WAIT_S:g} s."
            raise PiecesFailed("pieces_late", message)
        raise PiecesFailed("pieces_failed", "The pieces could not be captured: see its log.")

    def _picture(self, context: JobContext, card: Card, taken: list[tuple[Piece, Grab]], place: Path) -> Path:
        layout = Layout(card.layout)
        context.report("composing", CAPTURED + 2, "Composing the picture")
        path = place / f"card.{card.key.rsplit('.', 1)[-1]}"
        with self.timed(context, "compose"):
            if layout is Layout.BACKDROP:
                _fetch(taken[0][1], path)
            else:
                shot = shot_of(layout)
                shown = [Shown(piece, _frames(grab, place, shot.frames if shot else 1)) for piece, grab in taken]
                path.write_bytes(compose(layout, shown))
        return path

    def _store(self, context: JobContext, card: Card, path: Path) -> Artifact:
        self.begin_storing(context, COMPOSED)
        with self.timed(context, "store"):
            moving = card.layout == Layout.BACKDROP
            width, height = backdrop_size() if moving else SIZE
            mime = "image/webp" if moving else "image/png"
            return stores.keep(path, card.key, mime, width=width, height=height, expires_at=None)

    def _publish(self, context: JobContext, card: Card, taken: list[tuple[Piece, Grab]], artifact: Artifact) -> None:
        single = taken[0][0] if len(taken) == 1 else None
        featured = {"code": single.code, "hits": single.hits, "handle": single.handle} if single else None
        codes = [piece.code for piece, _ in taken]
        self.publish(context, artifact=artifact, featured=featured, pieces=codes)


def _take(
    context: JobContext, card: Card, pieces: list[Piece], shot: Shot, deadline: float
) -> tuple[list[tuple[Piece, Grab]], bool]:
    """Those of the pieces that could be captured until the deadline, in order; and whether any was cancelled."""
    recapture = bool(card.spec.get("recapture")) and card.attempt == 1
    source = "backdrop" if card.layout == Layout.BACKDROP else "card"
    asked = []
    try:
        for piece in pieces:
            wish = wish_of(piece, shot)
            try:
                found = ask_capture(wish, skip_cache=recapture, source=source, lane=Lane.BATCH)
            except Frozen as frozen:
                context.note(frozen.message)
                continue
            asked.append((piece, found))
        _await(context, [one.grab for _, one in asked], deadline)
    except (Cancelled, QueueFull):
        _cancel_waiting([one.grab for _, one in asked if not (one.cached or one.joined)])
        raise
    rows = Grab.objects.select_related("artifact").in_bulk([one.grab.pk for _, one in asked])
    taken = []
    for piece, one in asked:
        grab = rows.get(one.grab.pk)
        if grab is not None and grab.state == State.COMPLETE and grab.artifact:
            taken.append((piece, grab))
        else:
            why = (grab.error_message or f"it is {grab.state}") if grab else "it is gone"
            context.note(f"{piece.name} is left out: {why}")
    return taken, any(grab.state == State.CANCELLED for grab in rows.values())


def _await(context: JobContext, grabs: list[Grab], deadline: float) -> None:
    """Until all have ended, or the deadline. The captures' own workers are at work meanwhile."""
    keys = {grab.pk for grab in grabs}
    total = len(keys)
    while True:
        left = Grab.objects.filter(pk__in=keys, state__in=ACTIVE).count()
        done = total - left
        percent = FIRST + round((CAPTURED - FIRST) * done / max(1, total))
        detail = f"{done} of {total} piece{'s' * (total != 1)}"
        context.report("capturing", percent, detail, frames=(done, total))
        if not left or time.monotonic() > deadline:
            return
        time.sleep(LOOK_S)
        context.look()


def _cancel_waiting(grabs: list[Grab]) -> None:
    """What only this card had asked for, and nobody has begun."""
    for grab in Grab.objects.filter(pk__in=[grab.pk for grab in grabs], state__in=WAITING, lane=Lane.BATCH):
        with contextlib.suppress(lifecycle.StateMismatch):
            lifecycle.cancel(grab)


def _frames(grab: Grab, place: Path, most: int) -> list[Image.Image]:
    path = place / f"piece-{grab.pk}"
    _fetch(grab, path)
    return frames_of(path, most)


def _fetch(grab: Grab, path: Path) -> None:
    assert grab.artifact is not None
    stores.copy_out(grab.artifact, path)


def backdrop_size() -> tuple[int, int]:
    shot = shot_of(Layout.BACKDROP)
    assert shot is not None
    return round(shot.width * shot.density), round(shot.height * shot.density)
