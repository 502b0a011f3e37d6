"""Bearer tokens for machines that change things."""

from __future__ import annotations

import hashlib
import secrets

from django.conf import settings
from django.db import models
from django.utils import timezone

PREFIX = "oven_"


class Scope(models.TextChoices):
    GRAB = "grab", "Start grabs and pins (POST /grab, /grab-ipfs, skipCache, source=keep, any https page)"
    STEER = "steer", "Clear, clean up, cancel, unfreeze"
    BUNDLE = "bundle", "Pack the runtime, bundle without the cache, see the source folder"
    BAKE = "bake", "Announce tapes, report on any bake, see its addresses"
    WATCH = "watch", "Read metrics and everything the live page shows"

    @property
    def permission(self) -> str:
        """What a signed-in person needs for the same."""
        return _PERMISSIONS[self]


_PERMISSIONS = {
    Scope.GRAB: "captures.add_grab",
    Scope.STEER: "captures.change_grab",
    Scope.BUNDLE: "bundles.add_corebuild",
    Scope.BAKE: "bakes.add_bake",
    Scope.WATCH: "jobs.watch",
}


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiToken(models.Model):
    """Only the digest is stored: the token itself is shown once, when it is made."""

    name = models.CharField(max_length=80, unique=True, help_text="Who uses it, for what.")
    hint = models.CharField(max_length=12, editable=False, help_text="How the token starts.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "token"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def renew(self) -> str:
        """A new secret for this token (to be saved by the caller); returns it, for the only time."""
        secret = PREFIX + secrets.token_urlsafe(30)
        self.hint, self.digest = secret[:10], digest(secret)
        return secret

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()
