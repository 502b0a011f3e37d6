"""Artifacts in the admin: what lies in the stores."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import ManyToOneRel, QuerySet
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from oven.adminkit.base import HistoryAdmin, ago, model_link, once, picture, size
from oven.adminkit.changelist import MATCHES, among_keys, starts_with
from oven.storage.models import Artifact

FOLDERS = ("oven/grabs/", "tapes/", "bundles/")
MIN_ID = 8  # characters: less begins too many keys
MOST_USERS = 20  # of one kind


@admin.register(Artifact)
class ArtifactAdmin(HistoryAdmin):
    list_display = ("thumb", "key", "mime", "pixels", "weight", "when", "expires_at")
    list_display_links = ("key",)
    list_filter = ("store", "mime")
    search_fields = ("key",)
    search_keys = ("key", "sha256")
    search_help_text = "A key or SHA-256, or how they begin; a job's id; else a part of a recent key"
    date_hierarchy = "created_at"
    fields = (
        "large",
        "store",
        "key",
        "link",
        "mime",
        "pixels",
        "frames",
        "weight",
        "sha256",
        "created_at",
        "expires_at",
        "users",
    )
    readonly_fields = ("large", "link", "pixels", "weight", "users")

    def search(self, rows: QuerySet[Artifact], text: str) -> QuerySet[Artifact] | None:
        """A job's id stands behind the folder of its file."""
        keys = [f"{folder}{text}" for folder in FOLDERS]
        found: list[int] = []
        if len(text) >= MIN_ID:
            every = Artifact.objects.order_by().values_list("pk", flat=True)
            found = [pk for key in keys for pk in every.filter(starts_with(every, "key", key))[:MATCHES]]
        return among_keys(rows, found) if found else super().search(rows, text)

    @display(description="")
    def thumb(self, artifact: Artifact) -> SafeString:
        return self._picture(artifact, large=False)

    @display(description="")
    def large(self, artifact: Artifact) -> SafeString:
        return self._picture(artifact, large=True)

    def _picture(self, artifact: Artifact, large: bool) -> SafeString:
        if artifact.mime.startswith("video/"):
            return format_html(
                '<video class="oven-thumb" src="{}" muted loop controls preload="metadata">', artifact.url
            )
        return picture(artifact.url, artifact.url, artifact.mime, artifact.key, large)

    @display(description="Used by")
    @once
    def users(self, artifact: Artifact) -> SafeString | str:
        """The rows of every kind that point to it, newest first."""
        links = [
            (row._meta.verbose_name, model_link(row))
            for relation in artifact._meta.get_fields(include_hidden=True)
            if isinstance(relation, ManyToOneRel) and admin.site.is_registered(relation.related_model)
            for row in relation.related_model._default_manager.filter(**{relation.field.name: artifact})[:MOST_USERS]
        ]
        return format_html_join(", ", "{} {}", links) or "–"

    @display(description="Size")
    def pixels(self, artifact: Artifact) -> str:
        return f"{artifact.width}×{artifact.height}" if artifact.width else "–"

    @display(description="Stored", ordering="created_at")
    def when(self, artifact: Artifact) -> SafeString | str:
        return ago(artifact.created_at)

    @display(description="Bytes", ordering="bytes")
    def weight(self, artifact: Artifact) -> str:
        return size(artifact.bytes)

    @display(description="Address")
    def link(self, artifact: Artifact) -> SafeString:
        return format_html('<a class="oven-link" href="{0}">{0}</a>', artifact.url)
