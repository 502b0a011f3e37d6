"""How long history is kept, and files that are about to be deleted."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connections, models
from django.utils import timezone

LONGEST_DAYS = 36_500


class RetentionRule(models.Model):
    """One kind's limits. A row goes when either says so, unless something protects it (see `references`)."""

    kind = models.CharField(max_length=16, unique=True, editable=False)
    keep_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_DAYS)],
        help_text="Since its end. Empty: for ever.",
    )
    keep_rows = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="The newest so many stay, as far as the days allow. Empty: any number.",
    )

    # How far the pass is that housekeeping makes in slices.
    passed_at = models.DateTimeField("last pass", null=True, blank=True, editable=False)
    reached_at = models.DateTimeField(null=True, blank=True, editable=False)
    reached_pk = models.PositiveBigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ("kind",)
        verbose_name = "retention rule"

    def __str__(self) -> str:
        return self.kind


class Leftover(models.Model):
    """A file that no row names any more: written in the transaction that deletes its rows, gone once the file is."""

    store = models.CharField(max_length=8)
    key = models.CharField(max_length=300)
    bytes = models.PositiveBigIntegerField(null=True, blank=True, help_text="None: nobody has looked.")
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.key


def ensure_rules(using: str = "default", **_: Any) -> None:
    """A rule for every kind that has none, with the kind's own limits."""
    from oven.ops.retention.targets import subjects

    if RetentionRule._meta.db_table not in connections[using].introspection.table_names():
        return  # migrated back to before there were rules
    known = set(RetentionRule.objects.using(using).values_list("kind", flat=True))
    for subject in subjects():
        if subject.name not in known:
            limits = {"keep_days": subject.keep_days, "keep_rows": subject.keep_rows}
            RetentionRule.objects.using(using).get_or_create(kind=subject.name, defaults=limits)
