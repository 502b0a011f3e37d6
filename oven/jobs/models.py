"""The durable job. The database is the truth; the queue only carries."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from oven.accounts.throttles import CLIENT_CHARS
from oven.db import list_indexes
from oven.jobs.states import ACTIVE, BulkVerb, Lane, State

DEMO = "demo"  # the source of what `manage.py demo` asks for, and of what follows from that


def requeue_source(source: str) -> str:
    """Return the source of a job that does the same as one of this source: the demo's stay the demo's."""
    return DEMO if source == DEMO else "again"


def default_max_attempts() -> int:
    return int(settings.OVEN_MAX_ATTEMPTS)


class Job(models.Model):
    """Base of every verb's row: what was asked for, how far it is, what came of it.

    States change only through `oven.jobs.lifecycle`. Times are UTC; spans are milliseconds.
    """

    kind: ClassVar[str]
    operated: ClassVar[tuple[str, ...]] = ("add", "change")  # what operators may do with it
    shown: ClassVar[bool] = True  # on the live page
    streamed: ClassVar[bool] = False  # to requests that wait for it: every step, not only its end

    public_id = models.CharField("id", max_length=140, unique=True, editable=False)
    state = models.CharField(max_length=12, choices=State.choices, default=State.QUEUED, db_index=True)
    stage = models.CharField(max_length=20, blank=True)
    percent = models.PositiveSmallIntegerField(default=0)
    detail = models.CharField(max_length=200, blank=True)
    lane = models.CharField(max_length=8, choices=Lane.choices, default=Lane.NOW)
    rank = models.IntegerField(default=0, help_text="Within its lane: lower goes first, then the older.")
    source = models.CharField(max_length=40, default="manual", help_text="Who or what asked for it.")
    client = models.CharField(
        max_length=CLIENT_CHARS,
        blank=True,
        editable=False,
        help_text="A digest of the anonymous client that asked for it; empty for everybody else.",
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    spec = models.JSONField(default=dict, help_text="What was asked for, validated.")
    bulk = models.ForeignKey(
        "jobs.BulkAction", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    requeued_from = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="requeued_as"
    )
    requeued_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When a job that does the same was submitted.",
    )

    attempt = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=default_max_attempts)
    worker = models.CharField(max_length=120, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    due_at = models.DateTimeField(null=True, blank=True, help_text="A retry waits until then.")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, db_index=True)

    error_code = models.CharField(max_length=24, blank=True, db_index=True)
    error_message = models.CharField(max_length=500, blank=True)
    spans = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.public_id

    @property
    def active(self) -> bool:
        return self.state in ACTIVE

    @property
    def duration_ms(self) -> int | None:
        """From being asked for to its end."""
        if self.ended_at is None:
            return None
        return round((self.ended_at - self.created_at).total_seconds() * 1000)

    def on_end(self) -> None:
        """Called in the transaction that ends the row, whoever ends it: what must follow is written here."""


class BulkAction(Job):
    """One action on many jobs (or frozen pieces) at once, as somebody has confirmed it.

    It waits until its undo window closes (`due_at`) before anything is carried out; to undo it is to cancel it. Jobs
    that it asks for again wait in the queue from the start, with it as their `bulk`, and are due at the same moment.
    """

    kind: ClassVar[str] = "bulk"
    shown: ClassVar[bool] = False

    action = models.CharField(max_length=12, choices=BulkVerb.choices)
    asked = models.PositiveIntegerField(default=0, help_text="How many it is about.")
    done = models.PositiveIntegerField(default=0, help_text="How many it was carried out on.")
    targets = models.JSONField(default=dict, blank=True, help_text="Keys by kind, of what it is about.")

    class Meta(Job.Meta):
        verbose_name = "bulk action"
        permissions = [("watch", "Can watch the live page")]

    @property
    def title(self) -> str:
        return f"{self.get_action_display()}: {self.asked}"


class Attempt(models.Model):
    """One run of a job: who ran it, what happened, its spans and its log."""

    kind = models.CharField(max_length=16)
    job_pk = models.PositiveBigIntegerField()
    job_id = models.CharField("job", max_length=140, db_index=True)
    number = models.PositiveSmallIntegerField()
    worker = models.CharField(max_length=120)
    outcome = models.CharField(max_length=12, choices=State.choices, default=State.RUNNING)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=24, blank=True, db_index=True)
    error_message = models.CharField(max_length=500, blank=True)
    spans = models.JSONField(default=dict, blank=True, help_text="Milliseconds by stage.")
    evidence = models.JSONField(default=dict, blank=True, help_text="What was seen: errors, requests, mode.")
    last_frame = models.CharField(max_length=200, blank=True, help_text="Key of the last picture in the art store.")
    log = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["kind", "job_pk", "number"], name="one_row_an_attempt")]
        indexes = [
            *list_indexes("attempt", "outcome", "error_code", "kind", date="started_at"),
            models.Index(fields=["ended_at"], name="attempt_ended"),
            models.Index(fields=["last_frame"], name="attempt_last_frame"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} #{self.number}"
