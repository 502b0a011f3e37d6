"""Tapes that were baked, what the site was told of them, and tapes that are announced."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from oven.db import list_indexes
from oven.jobs import lifecycle
from oven.jobs.models import Job
from oven.jobs.states import RUNNING, Lane, State
from oven.storage.models import Artifact

URL_CHARS = 2000
ANSWER_CHARS = 500


class Site(models.TextChoices):
    """How far the site is with a bake, which it hears of by a callback."""

    UNTOLD = "untold", "Not told yet"
    TOLD = "told", "Being told"  # the callback is under way, and the site may report
    DONE = "done", "Done"  # it said so, or it accepted the callback
    UNDELIVERED = "undelivered", "Not delivered"
    NONE = "none", "Not to be told"

    @property
    def color(self) -> str:
        return _SITE_COLORS[self]


_SITE_COLORS = {
    Site.UNTOLD: "default",
    Site.TOLD: "primary",
    Site.DONE: "success",
    Site.UNDELIVERED: "danger",
    Site.NONE: "default",
}


class Bake(Job):
    """One tape made into a video. `width`, `height` are the video's pixels."""

    kind: ClassVar[str] = "bake"

    code = models.CharField(max_length=64, db_index=True, help_text="The tape's; names its files.")
    slug = models.CharField(max_length=200, db_index=True)
    mongo_id = models.CharField("site's id", max_length=64, db_index=True)
    zip_url = models.CharField("tape", max_length=URL_CHARS)
    callback_url = models.CharField("callback", max_length=URL_CHARS)

    video = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    thumbnail = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    frames = models.PositiveIntegerField(null=True, blank=True)
    video_ms = models.PositiveIntegerField("length", null=True, blank=True, help_text="Milliseconds.")
    sound = models.BooleanField(default=False)

    site = models.CharField(max_length=12, choices=Site.choices, default=Site.UNTOLD, db_index=True)
    site_status = models.CharField(max_length=40, blank=True, help_text="What the site last reported.")
    site_details = models.CharField(max_length=ANSWER_CHARS, blank=True)
    site_success = models.BooleanField(null=True, blank=True)
    site_at = models.DateTimeField(null=True, blank=True)

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["code"], condition=models.Q(state__in=[str(s) for s in RUNNING]), name="one_running_bake"
            )
        ]
        indexes = [
            models.Index(fields=["code", "-id"], name="bake_newest"),
            *list_indexes("bake", "state", "site", "error_code", "source", "sound", "lane"),
            *list_indexes("bake", "state", "source", "error_code", date="ended_at"),
        ]

    def on_end(self) -> None:
        """The site is told of every end but one: a bake that a newer one of the same tape has replaced."""
        if self.state == State.CANCELLED and self.replaced:
            Bake.objects.filter(pk=self.pk).update(site=Site.NONE)
        else:
            tell_site(self)
        self.refresh_from_db(fields=["site"])

    @property
    def replaced(self) -> bool:
        return Bake.objects.filter(code=self.code, pk__gt=self.pk).exists()

    @property
    def title(self) -> str:
        return self.code

    @property
    def video_url(self) -> str:
        return self.video.url if self.video else ""

    @property
    def thumbnail_url(self) -> str:
        return self.thumbnail.url if self.thumbnail else ""

    @property
    def versioned_video_url(self) -> str:
        """For pages that show several bakes of one tape: caches tell them apart."""
        return f"{self.video_url}?v={self.video.sha256[:12]}" if self.video else ""

    @property
    def versioned_thumbnail_url(self) -> str:
        return f"{self.thumbnail_url}?v={self.thumbnail.sha256[:12]}" if self.thumbnail else ""

    def facts(self) -> dict[str, Any]:
        """For live pages."""
        return {
            "piece": self.code,
            "slug": self.slug,
            "format": "mp4",
            "width": self.width,
            "height": self.height,
            "poster": self.versioned_thumbnail_url,
            "url": self.versioned_video_url,
            "bytes": self.video.bytes if self.video else None,
            "length": self.video_ms,
            "site": self.site,
            "siteStatus": self.site_status,
            "duration": self.duration_ms,
        }


class Delivery(Job):
    """One message to the site about a bake; each of its attempts is a try to deliver it."""

    kind: ClassVar[str] = "delivery"
    shown: ClassVar[bool] = False

    bake = models.ForeignKey(Bake, on_delete=models.CASCADE, related_name="deliveries")
    url = models.CharField(max_length=URL_CHARS)
    event = models.CharField(max_length=20, choices=[("bake.completed", "Completed"), ("bake.failed", "Failed")])
    message_id = models.CharField(max_length=40, db_index=True, help_text="The same for every try and replay.")
    payload = models.JSONField(help_text="Without the secret, which is added when it is sent.")
    replay_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replays")
    status = models.PositiveSmallIntegerField("HTTP status", null=True, blank=True)
    answer = models.CharField(max_length=ANSWER_CHARS, blank=True, help_text="How the last answer began.")

    class Meta(Job.Meta):
        verbose_name_plural = "deliveries"
        indexes = list_indexes("delivery", "state", "event", "status", "error_code", "source")

    def on_end(self) -> None:
        """An accepted message ends the bake, unless the site has reported its end already; a lost one is an alert."""
        delivered = self.state == State.COMPLETE
        if delivered or not Delivery.objects.filter(bake=self.bake_id, pk__gt=self.pk).exists():
            site = Site.DONE if delivered else Site.UNDELIVERED
            Bake.objects.filter(pk=self.bake_id, site=Site.TOLD).update(site=site, site_at=timezone.now())

    @property
    def title(self) -> str:
        return f"{self.event} of {self.bake.code}"


class IncomingTape(models.Model):
    """A tape that the site has announced; whoever watches sees it coming. Forgotten after a minute."""

    code = models.CharField(max_length=64, unique=True)
    slug = models.CharField(max_length=200)
    mongo_id = models.CharField(max_length=64, blank=True)
    details = models.CharField(max_length=ANSWER_CHARS, blank=True)
    detected_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.code


def tell_site(bake: Bake, replay_of: Delivery | None = None) -> Delivery:
    """Queues the message that says how a bake ended. To be called within a transaction."""
    if replay_of:
        event, payload, message_id = replay_of.event, replay_of.payload, replay_of.message_id
    else:
        event, payload = message(bake)
        message_id = f"msg_{secrets.token_hex(12)}"
    delivery = Delivery(
        public_id=f"delivery-{secrets.token_hex(6)}",
        bake=bake,
        url=bake.callback_url,
        event=event,
        message_id=message_id,
        payload=payload,
        replay_of=replay_of,
        lane=Lane.NOW,
        source="replay" if replay_of else "bake",
        max_attempts=len(settings.OVEN_CALLBACK_DELAYS_S) + 1,
    )
    Bake.objects.filter(pk=bake.pk).update(site=Site.TOLD, site_at=timezone.now())
    return lifecycle.submit(delivery)


def message(bake: Bake) -> tuple[str, dict[str, Any]]:
    """Event and body of the callback, as the site's receiver reads it; the secret is added by the sender."""
    base = {"mongoId": bake.mongo_id, "slug": bake.slug, "code": bake.code}
    if bake.state == State.COMPLETE:
        return "bake.completed", {**base, "mp4Url": bake.video_url, "thumbnailUrl": bake.thumbnail_url or None}
    error = bake.error_message or "The bake was cancelled."
    return "bake.failed", {**base, "error": error}


def newest(code: str) -> Bake | None:
    return Bake.objects.filter(code=code).order_by("-id").first()
