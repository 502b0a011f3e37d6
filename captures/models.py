"""What was grabbed, and which pieces stand still."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from captures.engine.spec import Format, Mode, Ready
from captures.og_images.models import Card
from captures.purpose import Purpose
from oven.db import list_indexes
from oven.jobs.models import Job
from oven.jobs.states import ACTIVE, State
from oven.storage.models import Artifact
from oven.storage.urls import public_url

__all__ = ["Card", "FrozenPiece", "Grab", "GrabOutput", "PieceName", "ScreenshotPreset"]

CID_CHARS = 80
SIDES = (32, 8192)
MAX_PIXELS = 16_700_000  # of one picture, whoever asks


class GrabQuerySet(models.QuerySet["Grab"]):
    def cached(self, capture_key: str, now: datetime | None = None) -> Grab | None:
        """Return the newest good capture of exactly this picture that has not expired: alone, or one file of several.

        None for a piece that staff froze.
        """
        now = now or timezone.now()
        alone = self.alone(capture_key, now).select_related("artifact").first()
        return alone or GrabOutput.objects.cached(capture_key, now)

    def alone(self, capture_key: str, now: datetime) -> GrabQuerySet:
        """Return the good captures for this one file, the newest first; none for a piece that staff froze."""
        frozen = FrozenPiece.objects.filter(piece=models.OuterRef("piece"), reason=FrozenPiece.STAFF)
        found = self.filter(capture_key=capture_key, state=State.COMPLETE, artifact__isnull=False, expires_at__gt=now)
        return found.exclude(models.Exists(frozen)).order_by("-id")

    def active_with(self, capture_key: str) -> Grab | None:
        return self.filter(capture_key=capture_key, state__in=ACTIVE).first()

    def bulk_create(self, objs: Iterable[Grab], *args: Any, **kwargs: Any) -> list[Grab]:
        grabs = list(objs)
        made = super().bulk_create(grabs, *args, **kwargs)
        PieceName.note(grab.piece for grab in grabs)
        return made


class Grab(Job):
    """One capture of one piece. `width`, `height` are CSS pixels, `out_width`, `out_height` those of the file."""

    kind: ClassVar[str] = "grab"

    piece = models.CharField(max_length=2000)
    format = models.CharField(max_length=4, choices=[(f.value, f.value) for f in Format])
    out_width = models.PositiveIntegerField()
    out_height = models.PositiveIntegerField()
    purpose = models.CharField(max_length=16, choices=Purpose.choices, default=Purpose.GRAB)
    capture_key = models.CharField(max_length=400, db_index=True)
    keep_id = models.CharField(max_length=80, blank=True)

    artifact = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.SET_NULL, related_name="grabs")
    poster = models.CharField(max_length=200, blank=True, help_text="Key of a small picture in the art store.")
    expires_at = models.DateTimeField(null=True, blank=True)
    mode = models.CharField(max_length=10, blank=True, choices=[(m.value, m.value) for m in Mode])
    ready = models.CharField(max_length=8, blank=True, choices=[(r.value, r.value) for r in Ready])
    ready_ms = models.PositiveIntegerField(null=True, blank=True)
    still_reason = models.CharField(max_length=10, blank=True)
    blank = models.BooleanField(default=False, help_text="Every frame is black.")
    warnings = models.JSONField(
        default=list, blank=True, help_text="What may be missing or wrong: objects with `code` and `message`."
    )
    ipfs_cid = models.CharField("CID", max_length=CID_CHARS, blank=True, help_text="Once it is pinned.")

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
            models.Index(fields=["client", "state"], name="grab_client", condition=~models.Q(client="")),
            models.Index(fields=["poster"], name="grab_poster"),  # who names a file, before it is deleted
            *list_indexes("grab", "state", "format", "error_code", "source", "still_reason", "mode", "lane"),
            *list_indexes("grab", "piece", "blank")[:-1],
            *list_indexes("grab", "purpose")[:-1],
            *list_indexes("grab", "state", "source", "error_code", date="ended_at"),
            models.Index(fields=["purpose", "state", "-id"], name="grab_purpose_state"),
        ]

    made: list[GrabOutput] | None = None  # by the attempt that is about to finish
    result_files: Sequence[Any] = ()  # that this attempt has stored

    def save(self, *args: Any, **kwargs: Any) -> None:
        new = self._state.adding
        super().save(*args, **kwargs)
        if new:
            PieceName.note([self.piece])

    def on_end(self) -> None:
        """The files of a capture for several are published with it, or not at all."""
        if self.state == State.COMPLETE and self.made:
            GrabOutput.objects.bulk_create(self.made)

    @property
    def title(self) -> str:
        return f"{self.piece} {'+'.join(self.formats)} {self.out_width}×{self.out_height}"

    @property
    def formats(self) -> list[str]:
        return self.spec.get("formats") or [self.format]

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
            "cid": self.ipfs_cid,
            "warnings": [warning["message"] for warning in self.warnings],
        }


class GrabOutputQuerySet(models.QuerySet["GrabOutput"]):
    def cached(self, capture_key: str, now: datetime) -> Grab | None:
        """The grab that made this picture beside others, seen as if it had made nothing else."""
        frozen = FrozenPiece.objects.filter(piece=models.OuterRef("grab__piece"), reason=FrozenPiece.STAFF)
        found = self.filter(capture_key=capture_key, artifact__isnull=False, grab__expires_at__gt=now)
        found = found.exclude(models.Exists(frozen))
        output = found.select_related("artifact", "grab").order_by("-id").first()
        return output.as_grab() if output else None


class GrabOutput(models.Model):
    """One file of a capture that was asked for several. Rows appear when the capture is complete."""

    grab = models.ForeignKey(Grab, on_delete=models.CASCADE, related_name="outputs")
    position = models.PositiveSmallIntegerField(default=0)
    format = models.CharField(max_length=4, choices=[(f.value, f.value) for f in Format])
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    capture_key = models.CharField(max_length=400, help_text="Of a grab for this file alone.")
    artifact = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.SET_NULL, related_name="outputs")

    objects = GrabOutputQuerySet.as_manager()

    class Meta:
        ordering = ("grab", "position")
        indexes = [models.Index(fields=["capture_key", "-id"], name="output_cached")]

    def __str__(self) -> str:
        return f"{self.grab}: {self.format} {self.width}×{self.height}"

    def as_grab(self) -> Grab:
        grab = self.grab
        grab.artifact, grab.format = self.artifact, self.format
        grab.out_width, grab.out_height = self.width, self.height
        return grab


class PieceName(models.Model):
    """Every name that was ever asked for, once: a search for a part of it need not read the grabs."""

    name = models.CharField(max_length=2000, unique=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def note(cls, names: Iterable[str]) -> None:
        cls.objects.bulk_create([cls(name=name) for name in sorted(set(names))], ignore_conflicts=True)


class FrozenPiece(models.Model):
    """A piece that was captured as an animation and does not move, or that staff froze.

    One that staff froze is answered with its still, without a worker, until it is unfrozen.
    """

    STAFF: ClassVar[str] = "staff"
    operated: ClassVar[tuple[str, ...]] = ("add", "change", "delete")  # what operators may do with it

    piece = models.CharField(max_length=2000, unique=True)
    reason = models.CharField(max_length=20, choices=[("frozen", "Frozen"), ("flat", "Flat"), (STAFF, "By staff")])
    error = models.CharField(max_length=200, blank=True, help_text="Why; what staff write is shown to staff only.")
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


class ScreenshotPreset(models.Model):
    """One of the pictures that an app store asks for. Staff may add to them."""

    name = models.SlugField(max_length=60, unique=True, help_text="In addresses: phone-portrait.")
    label = models.CharField(max_length=80, help_text="What people read: Phone Portrait.")
    width = models.PositiveIntegerField(help_text="Pixels of the file.")
    height = models.PositiveIntegerField(help_text="Pixels of the file.")
    density = models.FloatField(
        default=4.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(8.0)],
        help_text="Pixels of the file for one of the piece's own: how coarse pixel art looks.",
    )
    category = models.SlugField(max_length=40, help_text="Heading of the page and folder in the ZIP: phone.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Small ones come first.")

    class Meta:
        ordering = ("position", "name")

    def __str__(self) -> str:
        return self.label

    def clean(self) -> None:
        """A store's picture may be larger than what strangers can ask for, but not without end."""
        for side in ("width", "height"):
            if not SIDES[0] <= (getattr(self, side) or 0) <= SIDES[1]:
                raise ValidationError({side: f"{SIDES[0]} to {SIDES[1]} pixels."})
        if self.width * self.height > MAX_PIXELS:
            raise ValidationError({"height": f"{self.width}×{self.height} is more than {MAX_PIXELS:,} pixels."})
