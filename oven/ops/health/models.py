"""What happened in a minute, kept when the jobs themselves are long gone."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Probe(models.Model):
    """The one row that /ready changes to see whether the database takes writes."""

    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S}"


class Minute(models.Model):
    """One kind of job in one minute. Minutes in which nothing happened have no row."""

    at = models.PositiveIntegerField(help_text="Minutes since 1970.")
    kind = models.CharField(max_length=16)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    depth = models.PositiveIntegerField(default=0, help_text="Most that waited at once.")
    durations = models.TextField(default="{}", help_text="Digest (JSON) of the run times of those done.")

    class Meta:
        ordering = ("-at", "kind")
        constraints = [models.UniqueConstraint(fields=["at", "kind"], name="one_row_a_minute_and_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.at}"


LEVELS = [("warn", "Warning"), ("bad", "Bad")]  # see oven.ops.health.alerts.Alert


class RaisedAlert(models.Model):
    """An alert that was raised and is not over. The row is the proof that it was raised: there is one a code."""

    code = models.CharField(max_length=40, unique=True)
    level = models.CharField(max_length=4, choices=LEVELS)
    text = models.CharField(max_length=500)
    raised_at = models.DateTimeField(default=timezone.now)
    announced = models.BooleanField(default=False, help_text="Whether it was handed to those who send.")

    class Meta:
        ordering = ("level", "code")

    def __str__(self) -> str:
        return self.code


class Notice(models.Model):
    """One change of an alert that has to be sent in one way. `done_at` is set when it was sent or given up."""

    class Way(models.TextChoices):
        WEBHOOK = "webhook"
        MAIL = "mail"

    class Change(models.TextChoices):
        RAISED = "raised"
        OVER = "over"

    way = models.CharField(max_length=8, choices=Way.choices)
    code = models.CharField(max_length=40)
    level = models.CharField(max_length=4, choices=LEVELS)
    change = models.CharField(max_length=6, choices=Change.choices)
    text = models.CharField(max_length=500)
    message_id = models.CharField(max_length=40, help_text="The same for every try.")
    at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True, help_text="Why the last try failed.")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        indexes = [
            models.Index(fields=["way", "id"], condition=models.Q(done_at=None), name="notice_open"),
            models.Index(fields=["done_at"], name="notice_done"),
        ]

    def __str__(self) -> str:
        return f"{self.way} {self.code} {self.change}"
