"""Cards that were made. Found by Django through `captures.models`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from captures.engine.cards.spec import Layout
from oven.db import list_indexes
from oven.jobs.models import Job
from oven.jobs.states import ACTIVE, State
from oven.storage.models import Artifact

NOTEPAT_FRESH = timedelta(days=7)  # the others are of a day
VERSION_CHARS = 12


def today() -> date:
    """The day that cards are named by, everywhere the same."""
    return datetime.now(UTC).date()


def key_of(layout: Layout, day: date) -> str:
    """Where a card lies in the art store."""
    if layout is Layout.NOTEPAT:
        return "og/notepat/notepat-og.png"
    if layout is Layout.BACKDROP:
        return f"backdrop/kidlisp/{day}.webp"
    return f"og/kidlisp/{day}-{layout}.png"


class CardQuerySet(models.QuerySet["Card"]):
    def good(self, layout: Layout) -> CardQuerySet:
        """Those of a layout whose picture can be shown, newest first."""
        found = self.filter(layout=layout, state=State.COMPLETE, artifact__isnull=False)
        return found.select_related("artifact").order_by("-id")

    def fresh(self, layout: Layout) -> Card | None:
        """The one that answers today."""
        if layout is Layout.NOTEPAT:
            return self.good(layout).filter(ended_at__gt=timezone.now() - NOTEPAT_FRESH).first()
        return self.good(layout).filter(day=today()).first()

    def active_with(self, key: str) -> Card | None:
        return self.filter(key=key, state__in=ACTIVE).first()


class Card(Job):
    """One making of one card. `spec`: `recapture` (its pieces are captured anew)."""

    kind: ClassVar[str] = "card"

    layout = models.CharField(max_length=12, choices=[(one.value, one.value) for one in Layout])
    day = models.DateField(help_text="UTC; part of its name.")
    key = models.CharField(max_length=80, help_text="Of its picture in the art store.")
    featured = models.JSONField(null=True, blank=True, help_text="The piece shown: code, hits, handle.")
    pieces = models.JSONField(default=list, blank=True, help_text="Codes of all pieces shown.")
    artifact = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.SET_NULL, related_name="cards")

    objects = CardQuerySet.as_manager()

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(state__in=[str(s) for s in ACTIVE]), name="one_active_card"
            )
        ]
        indexes = [
            models.Index(fields=["layout", "state", "-id"], name="card_newest"),
            *list_indexes("card", "layout", "state", "error_code", "source"),
            *list_indexes("card", "state", "source", "error_code", date="ended_at"),
        ]

    def on_end(self) -> None:
        """From here on the pictures before it may go, some day; the newest one of a layout never does."""
        if self.state == State.COMPLETE:
            older = Artifact.objects.filter(cards__layout=self.layout, expires_at=None).exclude(pk=self.artifact_id)
            older.update(expires_at=timezone.now() + timedelta(days=settings.OVEN_CARD_DAYS))

    @property
    def title(self) -> str:
        return f"{self.layout} card"

    @property
    def url(self) -> str:
        """Names the version: a card that is made again keeps its key, and caches must tell them apart."""
        return f"{self.artifact.url}?v={self.artifact.sha256[:VERSION_CHARS]}" if self.artifact else ""

    def facts(self) -> dict[str, Any]:
        """For live pages."""
        artifact = self.artifact
        return {
            "piece": self.title,
            "format": self.key.rsplit(".", 1)[-1],
            "width": artifact.width if artifact else None,
            "height": artifact.height if artifact else None,
            "poster": self.url,
            "url": self.url,
            "bytes": artifact.bytes if artifact else None,
            "duration": self.duration_ms,
        }
