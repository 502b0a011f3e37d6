"""Keeps: files that were pinned to IPFS, for good; and pins, the jobs that do it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from captures.models import CID_CHARS, Grab
from oven.db import list_indexes
from oven.jobs import queue
from oven.jobs.models import Job
from oven.jobs.states import ACTIVE, WAITING, State
from oven.storage.models import Artifact
from oven.storage.urls import public_url
from pins.ipfs.backends import BACKENDS

AGAIN = "again"  # the source of pins that check a keep
NAMES = [(name, name) for name in BACKENDS]


class KeepQuerySet(models.QuerySet["Keep"]):
    def pictures(self) -> KeepQuerySet:
        """What `/keeps/` may lead to: whoever follows it expects a picture."""
        return self.filter(mime__startswith="image/").order_by("-pinned_at", "-id")

    def newest(self) -> Keep | None:
        """The newest that a caller has asked for: what staff pin by hand does not take its place."""
        return self.pictures().filter(asked=True).first()

    def newest_of(self, piece: str) -> Keep | None:
        return self.pictures().filter(piece=bare(piece)).first()

    def newest_by_piece(self, most: int | None = None) -> dict[str, Keep]:
        """`most`: look at so many of the newest keeps only."""
        found: dict[str, Keep] = {}
        for keep in self.pictures()[:most]:
            found.setdefault(keep.piece, keep)
        return found


class Keep(models.Model):
    """A file that is pinned. It has a copy of its own in the store, which nothing clears away."""

    operated: ClassVar[tuple[str, ...]] = ("add", "change")

    piece = models.CharField(max_length=2000, db_index=True, help_text="Without the leading $.")
    grab = models.ForeignKey("captures.Grab", null=True, blank=True, on_delete=models.SET_NULL, related_name="keeps")
    source_id = models.CharField("made by", max_length=140, blank=True, help_text="The job whose file it is.")
    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, related_name="keeps")
    cid = models.CharField("CID", max_length=CID_CHARS, db_index=True)
    format = models.CharField(max_length=8)
    mime = models.CharField("type", max_length=40)
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    backend = models.CharField(max_length=12, choices=NAMES)
    own_keys = models.BooleanField("with the caller's keys", default=False)
    asked = models.BooleanField("asked for by a caller", default=False, help_text="Else pinned by staff.")
    source = models.CharField(max_length=40, default="manual", help_text="Who or what asked for it.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    keep_id = models.CharField(max_length=80, blank=True, db_index=True, help_text="The token's.")
    created_at = models.DateTimeField(default=timezone.now)
    pinned_at = models.DateTimeField(default=timezone.now, help_text="When it was last asked for.")
    checked_at = models.DateTimeField(default=timezone.now, help_text="When the back-end last had it.")

    objects = KeepQuerySet.as_manager()

    class Meta:
        app_label = "captures"  # where its table and migrations are
        ordering = ("-pinned_at", "-id")
        indexes = [
            *list_indexes("keep", "backend", "asked", "format", "source", "own_keys", date="pinned_at"),
            models.Index(fields=["piece", "-pinned_at"], name="keep_newest_of_piece"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["piece", "cid", "backend", "keep_id"], name="one_keep_a_file_and_token")
        ]

    def __str__(self) -> str:
        return f"{self.piece} {self.cid}"

    @property
    def uri(self) -> str:
        return f"ipfs://{self.cid}"

    @property
    def url(self) -> str:
        """Where a browser gets it: our own view for what no service holds, else the gateway."""
        if self.backend == "local":
            return f"/ipfs/{self.cid}"
        return f"{settings.OVEN_IPFS_GATEWAY.rstrip('/')}/{self.cid}"


class Pin(Job):
    """One file to be pinned at one back-end; it may be asked for before its capture has ended."""

    kind: ClassVar[str] = "pin"

    piece = models.CharField(max_length=2000, db_index=True, help_text="Without the leading $.")
    grab = models.ForeignKey("captures.Grab", null=True, blank=True, on_delete=models.SET_NULL, related_name="pins")
    source_id = models.CharField("made by", max_length=140, help_text="The job whose file it is.")
    artifact = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.SET_NULL, related_name="pins")
    format = models.CharField(max_length=8)
    filename = models.CharField(max_length=200)
    backend = models.CharField(max_length=12, choices=NAMES)
    own_keys = models.BooleanField("with the caller's keys", default=False)
    asked = models.BooleanField("asked for by a caller", default=False)
    keep_id = models.CharField(max_length=80, blank=True)
    pin_key = models.CharField(max_length=220, editable=False, help_text="Equal pins are one.")

    sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    cid = models.CharField("CID", max_length=CID_CHARS, blank=True)
    found = models.BooleanField("was pinned before", default=False)
    kept = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta(Job.Meta):
        app_label = "captures"
        constraints = [
            models.UniqueConstraint(
                fields=["pin_key"],
                condition=models.Q(state__in=[str(s) for s in ACTIVE]),
                name="one_active_pin",
            )
        ]
        indexes = [
            *list_indexes("pin", "state", "backend", "error_code", "source", "asked", "found", "own_keys"),
            *list_indexes("pin", "state", "source", "error_code", date="ended_at"),
        ]

    def on_end(self) -> None:
        if self.state == State.COMPLETE:
            keep_of(self)

    @property
    def title(self) -> str:
        return f"{self.piece} {self.format} to {self.backend}"

    def facts(self) -> dict[str, Any]:
        """For live pages."""
        return {
            "piece": self.piece,
            "format": self.format,
            "poster": self.poster_url,
            "url": f"/ipfs/{self.cid}" if self.cid else "",
            "bytes": self.kept.bytes if self.kept else None,
            "backend": self.backend,
            "cid": self.cid,
            "duration": self.duration_ms,
        }

    @property
    def poster_url(self) -> str:
        return public_url("art", self.grab.poster) if self.grab and self.grab.poster else ""


def protected_artifacts() -> models.QuerySet[Artifact]:
    """Files that nothing may clear away: those of keeps, and those that are being pinned."""
    return Artifact.objects.filter(models.Q(keeps__isnull=False) | models.Q(pins__state__in=ACTIVE)).distinct()


def bare(piece: str) -> str:
    """A piece's name as keeps know it."""
    return piece.removeprefix("$")


def new_id(piece: str) -> str:
    name = "".join(char if char.isascii() and (char.isalnum() or char in "~_.-") else "-" for char in bare(piece))
    return f"pin-{name[:80].strip('-.') or 'piece'}-{secrets.token_hex(4)}"


def keep_of(pin: Pin) -> Keep:
    """What a good pin leaves, within the transaction that ends it. The same file once more renews its keep."""
    assert pin.kept is not None
    Artifact.objects.filter(pk=pin.kept.pk).update(expires_at=None)
    now = timezone.now()
    renewed: dict[str, Any] = {"artifact": pin.kept, "checked_at": now}
    if pin.source != AGAIN:  # a look at an old keep does not make it the newest
        renewed |= {"pinned_at": now, **({"asked": True} if pin.asked else {})}
    keep, _ = Keep.objects.update_or_create(
        piece=pin.piece,
        cid=pin.cid,
        backend=pin.backend,
        keep_id=pin.keep_id,
        defaults=renewed,
        create_defaults={
            "artifact": pin.kept,
            "grab_id": pin.grab_id,
            "source_id": pin.source_id,
            "format": pin.format,
            "mime": pin.kept.mime,
            "bytes": pin.kept.bytes,
            "sha256": pin.kept.sha256,
            "own_keys": pin.own_keys,
            "asked": pin.asked,
            "source": pin.source,
            "requested_by_id": pin.requested_by_id,
        },
    )
    if pin.grab:
        type(pin.grab).objects.filter(pk=pin.grab.pk).update(ipfs_cid=pin.cid)
    return keep


def release_ended(jobs: Sequence[Grab], **_: Any) -> None:
    """Make the pins that wait for these captures due. Called in the transaction that ends them.

    Not those with a caller's keys: they are run by the process that has the keys.
    """
    for pin in Pin.objects.filter(grab__in=jobs, state__in=WAITING, own_keys=False):
        if Pin.objects.filter(pk=pin.pk, state__in=WAITING, attempt=0).update(due_at=None):
            transaction.on_commit(partial(queue.enqueue, pin))
