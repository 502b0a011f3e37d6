"""Artifacts in the admin: what lies in the stores."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from oven_site.artifacts.models import Artifact
from oven_site.dashboard.admin import HistoryAdmin, ago, picture, size


@admin.register(Artifact)
class ArtifactAdmin(HistoryAdmin):
    list_display = ("thumb", "key", "mime", "pixels", "weight", "when", "expires_at")
    list_display_links = ("key",)
    list_filter = ("store", "mime")
    search_fields = ("key", "sha256")
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
    )
    readonly_fields = ("large", "link", "pixels", "weight")

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
