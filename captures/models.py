"""What was grabbed, and which pieces stand still."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from captures.cards.models import Card
from captures.engine.spec import Format, Mode, Ready
from oven_site.artifacts.models import Artifact
from oven_site.artifacts.stores import public_url
from oven_site.jobs.models import Job
from oven_site.jobs.states import ACTIVE, State

__all__ = ["Card", "FrozenPiece", "Grab"]


class GrabQuerySet(models.QuerySet["Grab"]):
    def cached(self, capture_key: str, now: datetime | None = None) -> Grab | None:
        """The newest good capture of exactly this picture that has not expired."""
        found = self.filter(capture_key=capture_key, state=State.COMPLETE, artifact__isnull=False)
        return found.filter(expires_at__gt=now or timezone.now()).select_related("artifact").order_by("-id").first()

    def active_with(self, capture_key: str) -> Grab | None:
        return self.filter(capture_key=capture_key, state__in=ACTIVE).first()


class Grab(Job):
    """One capture of one piece. `width`, `height` are CSS pixels, `out_width`, `out_height` those of the file."""

    kind: ClassVar[str] = "grab"

    piece = models.CharField(max_length=2000, db_index=True)
    format = models.CharField(max_length=4, choices=[(f.value, f.value) for f in Format])
    out_width = models.PositiveIntegerField()
    out_height = models.PositiveIntegerField()
    capture_key = models.CharField(max_length=400, db_index=True)
    keep_id = models.CharField(max_length=80, blank=True)
    again_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="again")

    artifact = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.SET_NULL, related_name="grabs")
    poster = models.CharField(max_length=200, blank=True, help_text="Key of a small picture in the art store.")
    expires_at = models.DateTimeField(null=True, blank=True)
    mode = models.CharField(max_length=10, blank=True, choices=[(m.value, m.value) for m in Mode])
    ready = models.CharField(max_length=8, blank=True, choices=[(r.value, r.value) for r in Ready])
    ready_ms = models.PositiveIntegerField(null=True, blank=True)
    still_reason = models.CharField(max_length=10, blank=True)
    blank = models.BooleanField(default=False, help_text="Every frame is black.")

    objects = GrabQuerySet.as_manager()

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["capture_key"],
                condition=models.Q(state__in=[str(s) for s in ACTIVE]),
                name="one_active_capture",
            )
        ]
        indexes = [
            models.Index(fields=["capture_key", "state", "-id"], name="grab_cached"),
            models.Index(fields=["poster"], name="grab_poster"),  # who names a file, before it is deleted
        ]

    @property
    def title(self) -> str:
        return f"{self.piece} {self.format} {self.out_width}×{self.out_height}"

    @property
    def cdn_url(self) -> str:
        return self.artifact.url if self.artifact else ""

    @property
    def poster_url(self) -> str:
        return public_url("art", self.poster) if self.poster else ""

    def facts(self) -> dict[str, Any]:
        """For live pages."""
        return {
            "piece": self.piece,
            "format": self.format,
            "width": self.out_width,
            "height": self.out_height,
            "poster": self.poster_url,
            "url": self.cdn_url,
            "bytes": self.artifact.bytes if self.artifact else None,
            "still": self.still_reason,
            "blank": self.blank,
            "mode": self.mode,
            "duration": self.duration_ms,
            "spec": self.spec,
        }


class FrozenPiece(models.Model):
    """A piece that was asked for as an animation and does not move, or that staff have put on the list."""

    operated: ClassVar[tuple[str, ...]] = ("add", "change", "delete")  # what operators may do with it

    piece = models.CharField(max_length=2000, unique=True)
    reason = models.CharField(max_length=20, choices=[("frozen", "Frozen"), ("flat", "Flat"), ("staff", "By staff")])
    error = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveIntegerField(default=1)
    first_detected = models.DateTimeField(default=timezone.now)
    last_attempt = models.DateTimeField(default=timezone.now, db_index=True)
    preview = models.CharField(max_length=300, blank=True, help_text="Key of the still in the art store.")
    grab = models.ForeignKey(Grab, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ("-last_attempt",)

    def __str__(self) -> str:
        return self.piece

    @property
    def preview_url(self) -> str:
        return public_url("art", self.preview) if self.preview else ""
