"""Runtimes that were packed, and pieces that were bundled with them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from oven.db import list_indexes
from oven.jobs.models import Job
from oven.jobs.states import ACTIVE, State
from oven.storage.models import Artifact
from oven.storage.urls import public_url

ACTIVE_STATES = [str(state) for state in ACTIVE]


class CoreBuildQuerySet(models.QuerySet["CoreBuild"]):
    def in_service(self) -> CoreBuild | None:
        """The newest that was built and checked: a build that failed changes nothing."""
        return self.filter(state=State.COMPLETE).order_by("-id").first()

    def active_for(self, tree: str) -> CoreBuild | None:
        return self.filter(tree=tree, state__in=ACTIVE_STATES).first()


class CoreBuild(Job):
    """The site's runtime, packed for one version of its source tree. Complete: built, and seen to run offline."""

    kind: ClassVar[str] = "core"
    streamed: ClassVar[bool] = True

    tree = models.CharField(max_length=64, help_text="What the tree's files were like.")
    version = models.CharField(max_length=80, default="unknown")
    key = models.CharField(max_length=64, blank=True, help_text="Of its content.")
    files = models.PositiveIntegerField(default=0)
    raw_bytes = models.PositiveBigIntegerField(default=0)
    minified_bytes = models.PositiveBigIntegerField(default=0)
    gzip_bytes = models.PositiveBigIntegerField(default=0)
    build_ms = models.PositiveIntegerField(null=True, blank=True)
    table = models.JSONField(default=list, blank=True, help_text="Path, bytes, shipped bytes, error of each file.")
    warnings = models.JSONField(default=list, blank=True)
    still = models.CharField(max_length=200, blank=True, help_text="Key of what it showed when it was checked.")

    objects = CoreBuildQuerySet.as_manager()

    class Meta(Job.Meta):
        verbose_name = "core build"
        constraints = [
            models.UniqueConstraint(
                fields=["tree"], condition=models.Q(state__in=ACTIVE_STATES), name="one_active_core"
            )
        ]
        indexes = list_indexes("core", "state", "error_code", "source")

    @property
    def title(self) -> str:
        return f"runtime {self.version}"

    @property
    def still_url(self) -> str:
        return public_url("art", self.still) if self.still else ""

    @property
    def errors(self) -> list[str]:
        """Of the minifier, which left those files as they were."""
        return [f"{path}: {error}" for path, _, _, error in self.table if error]

    def facts(self) -> dict[str, Any]:
        """For live pages."""
        return {
            "piece": self.title,
            "format": "js",
            "poster": self.still_url,
            "files": self.files,
            "bytes": self.gzip_bytes or None,
            "duration": self.duration_ms,
        }


class BundleQuerySet(models.QuerySet["Bundle"]):
    def cached(self, capture_key: str, now: datetime | None = None) -> Bundle | None:
        """The newest good one of exactly this wish that has not expired."""
        found = self.filter(capture_key=capture_key, state=State.COMPLETE, artifact__isnull=False)
        return found.filter(expires_at__gt=now or timezone.now()).select_related("artifact").order_by("-id").first()

    def active_with(self, capture_key: str) -> Bundle | None:
        return self.filter(capture_key=capture_key, state__in=ACTIVE_STATES).first()


class Bundle(Job):
    """One piece as one HTML file (or a Max for Live device around it)."""

    kind: ClassVar[str] = "bundle"
    streamed: ClassVar[bool] = True

    piece = models.CharField(max_length=200, db_index=True, help_text="A piece's name, or a program's with its $.")
    capture_key = models.CharField(max_length=64, db_index=True)
    core = models.ForeignKey(CoreBuild, null=True, blank=True, on_delete=models.SET_NULL, related_name="bundles")
    artifact = models.ForeignKey(Artifact, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    poster = models.CharField(max_length=200, blank=True, help_text="Key of a small picture in the art store.")
    expires_at = models.DateTimeField(null=True, blank=True)
    hits = models.PositiveIntegerField(default=0, help_text="Answered from the cache so often.")

    filename = models.CharField(max_length=300, blank=True)
    key = models.CharField(max_length=64, blank=True, help_text="Of its content; dates and versions do not count.")
    size_kb = models.PositiveIntegerField(null=True, blank=True)
    file_count = models.PositiveIntegerField(null=True, blank=True)
    pack_date = models.CharField(max_length=60, blank=True)
    source_code = models.TextField(blank=True)
    author_handle = models.CharField(max_length=100, blank=True)
    user_code = models.CharField(max_length=100, blank=True)
    dep_count = models.PositiveIntegerField(default=0)
    warnings = models.JSONField(default=list, blank=True)
    messages = models.JSONField(default=list, blank=True, help_text="What was said on the way.")

    objects = BundleQuerySet.as_manager()

    class Meta(Job.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["capture_key"], condition=models.Q(state__in=ACTIVE_STATES), name="one_active_bundle"
            )
        ]
        indexes = [
            *list_indexes("bundle", "state", "error_code", "source", "piece"),
            *list_indexes("bundle", "state", "source", "error_code", date="ended_at"),
            models.Index(fields=["poster"], name="bundle_poster"),  # who names a file, before it is deleted
        ]

    @property
    def title(self) -> str:
        return self.piece

    @property
    def is_program(self) -> bool:
        return self.piece.startswith("$")

    @property
    def is_device(self) -> bool:
        return bool(self.spec.get("m4d"))

    @property
    def open_url(self) -> str:
        """Where it opens in a sandbox of its own."""
        return f"/bundles/{self.public_id}" if self.artifact_id else ""

    @property
    def poster_url(self) -> str:
        return public_url("art", self.poster) if self.poster else ""

    def facts(self) -> dict[str, Any]:
        """For live pages."""
        return {
            "piece": self.piece,
            "format": "amxd" if self.is_device else "html",
            "poster": self.poster_url,
            "url": self.open_url,
            "bytes": self.artifact.bytes if self.artifact else None,
            "duration": self.duration_ms,
        }
