"""What lies in the stores: one row a file."""

from __future__ import annotations

from django.db import models

from oven.db import list_indexes
from oven.storage.urls import public_url


class Artifact(models.Model):
    """A finished file. The row is written after the bytes are in place."""

    store = models.CharField(max_length=8, default="art")
    key = models.CharField(max_length=300, db_index=True)
    mime = models.CharField("type", max_length=40)
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    frames = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta:
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["store", "key"], name="one_row_a_file")]
        indexes = list_indexes("artifact", "store", "mime")

    def __str__(self) -> str:
        return self.key

    @property
    def url(self) -> str:
        """Public address: absolute where a base is configured, else a path on this host."""
        return public_url(self.store, self.key)
