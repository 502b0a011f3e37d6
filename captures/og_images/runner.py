"""Makes a claimed Card: the list, the captures of its pieces, the picture. Imported by workers only.

It mostly waits, for captures that other workers make, and so runs in a thread beside others of its kind.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from PIL import Image

from captures.engine.cards.compose import Unreadable, compose, frames_of, shot_of
from captures.engine.cards.spec import SIZE, Layout, Piece, Shot, Shown
from captures.frozen import Frozen
from captures.models import Grab
from captures.og_images.listing import ListError, top_pieces
from captures.og_images.models import Card
from captures.og_images.planning import choices, wish_of
from captures.services import QueueFull
from captures.services import ask as ask_capture
from oven.egress.client import background
from oven.events import stream
from oven.jobs import lifecycle, scratch
from oven.jobs.context import Cancelled, Execution
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


def run(execution: Execution) -> None:
    """Runs a claimed Card. Whatever goes wrong, the picture that is there stays."""
    card: Card = execution.job
    stream.log("info", f"{card}: making the {card.title}")
    try:
        with scratch.directory(card) as place:
            taken = _captures(execution, card)
            path = _picture(execution, card, taken, place)
            artifact = _store(execution, card, path)
        _publish(execution, card, taken, artifact)
    except (ListError, PiecesFailed) as error:
        _fail(execution, error.code, error.message, error.retry)
    except QueueFull:
        _fail(execution, "queue_full", "The queue is full: the pieces could not be captured.", retry=True)
    except Unreadable as error:
        execution.note(f"unreadable: {error}")
        _fail(execution, "unreadable", "A capture could not be read.", retry=True)
    except stores.StoreError as error:
        execution.note(f"store: {error}")
        _fail(execution, "store", "The picture could not be stored or read.", retry=True)


# --- captures -------------------------------------------------------------------------------------------------------


def _captures(execution: Execution, card: Card) -> list[tuple[Piece, Grab]]:
    """The pieces of the card with their finished captures; nothing for a layout that shows none."""
    layout = Layout(card.layout)
    shot = shot_of(layout)
    if shot is None:
        return []
    execution.report("listing", 2, "Reading the list of pieces")
    with _span(execution, "listing"):
        pieces = execution.wait(background(top_pieces(layout)))
    deadline = time.monotonic() + settings.OVEN_CARD_WAIT_S
    with _span(execution, "capture"):
        for chosen in choices(layout, pieces, card.day):
            taken, cancelled = _take(execution, card, chosen, shot, deadline)
            if len(taken) >= min(LEAST, len(chosen)):
                return taken
            if cancelled:
                raise PiecesFailed("pieces_cancelled", "The captures of its pieces were cancelled.", retry=False)
    if time.monotonic() >= deadline:
        message = f"The pieces were not captured within {settings.OVEN_CARD_WAIT_S:g} s."
        raise PiecesFailed("pieces_late", message)
    raise PiecesFailed("pieces_failed", "The pieces could not be captured: see its log.")


def _take(
    execution: Execution, card: Card, pieces: list[Piece], shot: Shot, deadline: float
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
                execution.note(frozen.message)
                continue
            asked.append((piece, found))
        _await(execution, [one.grab for _, one in asked], deadline)
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
            execution.note(f"{piece.name} is left out: {why}")
    return taken, any(grab.state == State.CANCELLED for grab in rows.values())


def _await(execution: Execution, grabs: list[Grab], deadline: float) -> None:
    """Until all have ended, or the deadline. The captures' own workers are at work meanwhile."""
    keys = {grab.pk for grab in grabs}
    total = len(keys)
    while True:
        left = Grab.objects.filter(pk__in=keys, state__in=ACTIVE).count()
        done = total - left
        percent = FIRST + round((CAPTURED - FIRST) * done / max(1, total))
        detail = f"{done} of {total} piece{'s' * (total != 1)}"
        execution.report("capturing", percent, detail, frames=(done, total))
        if not left or time.monotonic() > deadline:
            return
        time.sleep(LOOK_S)
        execution.look()


def _cancel_waiting(grabs: list[Grab]) -> None:
    """What only this card had asked for, and nobody has begun."""
    for grab in Grab.objects.filter(pk__in=[grab.pk for grab in grabs], state__in=WAITING, lane=Lane.BATCH):
        with contextlib.suppress(lifecycle.StateMismatch):
            lifecycle.cancel(grab)


# --- the picture ----------------------------------------------------------------------------------------------------


def _picture(execution: Execution, card: Card, taken: list[tuple[Piece, Grab]], place: Path) -> Path:
    layout = Layout(card.layout)
    execution.report("composing", CAPTURED + 2, "Composing the picture")
    path = place / f"card.{card.key.rsplit('.', 1)[-1]}"
    with _span(execution, "compose"):
        if layout is Layout.BACKDROP:
            _fetch(taken[0][1], path)
        else:
            shot = shot_of(layout)
            shown = [Shown(piece, _frames(grab, place, shot.frames if shot else 1)) for piece, grab in taken]
            path.write_bytes(compose(layout, shown))
    return path


def _frames(grab: Grab, place: Path, most: int) -> list[Image.Image]:
    path = place / f"piece-{grab.pk}"
    _fetch(grab, path)
    return frames_of(path, most)


def _fetch(grab: Grab, path: Path) -> None:
    assert grab.artifact is not None
    stores.copy_out(grab.artifact, path)


def _store(execution: Execution, card: Card, path: Path) -> Artifact:
    execution.report("uploading", COMPOSED, "Storing")
    execution.beat()  # the last look whether this attempt still counts, before anything is written
    with _span(execution, "store"):
        moving = card.layout == Layout.BACKDROP
        width, height = backdrop_size() if moving else SIZE
        mime = "image/webp" if moving else "image/png"
        return stores.keep(path, card.key, mime, width=width, height=height, expires_at=None)


def backdrop_size() -> tuple[int, int]:
    shot = shot_of(Layout.BACKDROP)
    assert shot is not None
    return round(shot.width * shot.density), round(shot.height * shot.density)


def _publish(execution: Execution, card: Card, taken: list[tuple[Piece, Grab]], artifact: Artifact) -> None:
    single = taken[0][0] if len(taken) == 1 else None
    featured = {"code": single.code, "hits": single.hits, "handle": single.handle} if single else None
    codes = [piece.code for piece, _ in taken]
    lifecycle.finish(card, execution.spans, artifact=artifact, featured=featured, pieces=codes)


def _fail(execution: Execution, code: str, message: str, retry: bool) -> None:
    card: Card = execution.job
    execution.note(f"failed: {code}: {message}")
    execution.job = card = lifecycle.fail(card, code[:24], message, retry=retry, spans=execution.spans)
    if card.state == State.FAILED:
        last = Card.objects.good(Layout(card.layout)).first()
        stays = f"The one of {last.day} stays." if last else "There is none yet."
        stream.log("warn", f"The {card.title} could not be made. {message} {stays}")


@contextlib.contextmanager
def _span(execution: Execution, name: str) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        execution.spans[name] = round((time.monotonic() - started) * 1000)
