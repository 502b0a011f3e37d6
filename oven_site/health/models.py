"""What happened in a minute, kept when the jobs themselves are long gone."""

from __future__ import annotations

from django.db import models


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
