"""The gallery's sections of icons, previews and store screenshots."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import Max

from captures.models import Grab
from captures.purpose import Purpose
from captures.services import ask_again
from dashboard.gallery import Entry, provide
from oven.jobs.states import State
from oven.storage.urls import redirect_url

SECTIONS = {
    Purpose.ICON: ("icons", "Icons", False),
    Purpose.ANIMATED_ICON: ("animated-icons", "Animated icons", False),
    Purpose.PREVIEW: ("previews", "Previews", True),
    Purpose.SCREENSHOT: ("app-screenshots", "Store screenshots", False),
}


def entries(purpose: Purpose, search: str, start: int, count: int) -> list[Entry]:
    """The newest capture of each picture whose file is still there."""
    kept = Grab.objects.filter(purpose=purpose, state=State.COMPLETE, artifact__isnull=False)
    if search:
        kept = kept.filter(piece__icontains=search)
    newest = kept.order_by().values("capture_key").annotate(top=Max("pk")).values("top")
    found = Grab.objects.filter(pk__in=newest).select_related("artifact").order_by("-pk")
    return [_entry(grab) for grab in found[start : start + count]]


def _entry(grab: Grab) -> Entry:
    assert grab.artifact is not None
    url = redirect_url(grab.artifact.store, grab.artifact.key)
    motion = f", {grab.artifact.frames} frames" if (grab.artifact.frames or 1) > 1 else ""
    return Entry(
        key=grab.public_id,
        title=grab.piece,
        image=url,
        at=grab.ended_at,
        detail=f"{grab.out_width}×{grab.out_height}{motion}",
        link=url,
        expires_at=grab.expires_at,
    )


def refresh(purpose: Purpose, key: str, user: Any) -> Grab:
    grab = Grab.objects.filter(purpose=purpose, public_id=key).first()
    if grab is None:
        raise LookupError(key)
    return ask_again(grab, skip_cache=True, user=user).grab


def provide_all() -> None:
    for purpose, (name, label, wide) in SECTIONS.items():
        provide(name, partial(entries, purpose), partial(refresh, purpose), label, wide)
