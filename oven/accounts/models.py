"""Bearer tokens for machines that change things."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from oven.db import list_indexes

PREFIX = "oven_"


class Scope(models.TextChoices):
    GRAB = "grab", "Start grabs and pins (POST /grab, /grab-ipfs, skipCache, source=keep, any https page)"
    STEER = "steer", "Clear, clean up, cancel, requeue, unfreeze"
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


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def with_secret(self, secret: str) -> ApiToken | None:
        """Whose secret it is, or was until a short while ago; perhaps one that has expired."""
        found, now = digest(secret), timezone.now()
        return self.filter(Q(digest=found) | Q(previous_digest=found, previous_until__gt=now)).first()


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
    rotated_at = models.DateTimeField(null=True, blank=True, editable=False)
    previous_digest = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    previous_until = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

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

    def rotate(self) -> str:
        """The same with the old secret still valid for OVEN_TOKEN_GRACE_S, while its user takes over the new one."""
        now = timezone.now()
        self.previous_digest, self.previous_until = self.digest, now + timedelta(seconds=settings.OVEN_TOKEN_GRACE_S)
        self.rotated_at = now
        return self.renew()

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


class Outcome(models.TextChoices):
    SUCCESS = "success", "Signed in"
    FAILURE = "failure", "Refused"
    REFUSED = "refused", "Known, not let in"
    THROTTLED = "throttled", "Too often"
    LOGOUT = "logout", "Signed out"


class How(models.TextChoices):
    PASSWORD = "password", "By password"
    LINK = "link", "By one-time link"
    OIDC = "oidc", "By the identity provider"
    PASSKEY = "passkey", "By passkey"


class SignIn(models.Model):
    """One attempt to sign in, or the end of a session: written by Oven, read by administrators.

    The name that was typed is kept only where there is such an account: people type passwords into the wrong field.
    """

    at = models.DateTimeField(auto_now_add=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    name = models.CharField(max_length=150, blank=True, db_index=True, help_text="Of the account, if there is one.")
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    how = models.CharField(max_length=10, blank=True, choices=How.choices)
    client = models.CharField(max_length=50, db_index=True, help_text="Address, or network of addresses.")
    agent = models.CharField(max_length=200, blank=True, help_text="What the browser says it is.")

    class Meta:
        verbose_name = "sign-in"
        ordering = ("-id",)
        indexes = list_indexes("sign_in", "outcome", "how", date="at")

    def __str__(self) -> str:
        return f"{self.name or 'nobody'}: {self.get_outcome_display()}"


class KeyedAnswer(models.Model):
    """What a request with an `Idempotency-Key` was answered; without a status it is still being answered.

    A file is not copied: `artifact_id` says which it was.
    """

    digest = models.CharField(max_length=64, unique=True, help_text="Of caller, path and key.")
    fingerprint = models.CharField(max_length=64, help_text="Of the body.")
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=bytes)
    artifact_id = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = "keyed answer"

    def __str__(self) -> str:
        return f"{self.digest[:12]}: {self.status or 'being answered'}"
