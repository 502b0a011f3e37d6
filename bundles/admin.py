"""Packed runtimes and bundles in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from bundles import services
from bundles.models import Bundle, CoreBuild
from oven.adminkit.base import EXPORTS, audit, changelist_link, dialog, model_link, picture, size
from oven.jobs.admin import JobAdmin

AGAIN = dialog("Bundle again?", "It is made anew, and takes the place of the cached one.", "Bundle again")
REBUILD = dialog("Pack the runtime again?", "It goes into service once it is seen to run offline.", "Pack it")
HEAVIEST = 40  # files that the picture shows one by one


@admin.register(CoreBuild)
class CoreBuildAdmin(JobAdmin):
    list_display = ("thumb", "name", "state_chip", "service", "files", "raw", "minified", "packed", "took", "when")
    list_display_links = ("name",)
    list_filter = ("state", "error_code", "source")
    search_fields = ("version", "key")
    search_keys = ("public_id",)
    search_help_text = "Version, id or key"
    date_hierarchy = "created_at"
    actions = ("cancel", *EXPORTS)
    list_defer = ("table", "warnings")
    export_hidden = ("table",)
    actions_list = ("prewarm",)
    actions_row = ("cancel_row",)
    actions_detail = ("cancel_row",)
    fieldsets = (
        (None, {"fields": ("large", "version", "state", "service", "error", "bundled")}),
        ("What came of it", {"fields": ("files", "raw", "minified", "packed", "build_ms", "spans_panel", "notes")}),
        ("Files", {"fields": ("files_panel",)}),
        (
            "Record",
            {"fields": ("public_id", "key", "tree", "source", "requested_by", "attempt", "worker", "created_at")},
        ),
        ("Attempts", {"fields": ("attempts",)}),
    )
    readonly_fields = (
        *("large", "service", "error", "bundled", "raw", "minified", "packed"),
        *("spans_panel", "notes", "files_panel", "attempts"),
    )

    @display(description="")
    def thumb(self, build: CoreBuild) -> SafeString:
        return picture(build.still_url, build.still_url, "image/webp", build.title)

    @display(description="When it was checked")
    def large(self, build: CoreBuild) -> SafeString:
        return picture(build.still_url, build.still_url, "image/webp", build.title, large=True)

    @display(description="Runtime", ordering="version")
    def name(self, build: CoreBuild) -> SafeString:
        return format_html(
            '<b class="oven-name">{}</b><br><span class="oven-dim">{}</span>', build.version, build.key[:12]
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CoreBuild]:
        self._in_service = CoreBuild.objects.in_service()  # once for a page, not for every row
        rows: QuerySet[CoreBuild] = super().get_queryset(request)
        return rows

    @display(description="In service", boolean=True)
    def service(self, build: CoreBuild) -> bool:
        return build == self._in_service

    @display(description="See also")
    def bundled(self, build: CoreBuild) -> SafeString:
        return changelist_link(Bundle, "bundles made with it", core__id__exact=build.pk)

    @display(description="Written", ordering="raw_bytes")
    def raw(self, build: CoreBuild) -> str:
        return size(build.raw_bytes or None)

    @display(description="Minified", ordering="minified_bytes")
    def minified(self, build: CoreBuild) -> str:
        return size(build.minified_bytes or None)

    @display(description="Packed", ordering="gzip_bytes")
    def packed(self, build: CoreBuild) -> str:
        return size(build.gzip_bytes or None)

    @display(description="Notes")
    def notes(self, build: CoreBuild) -> SafeString | str:
        entries = [*build.errors, *build.warnings]
        items = format_html_join("", "<li>{}</li>", ((entry,) for entry in entries))
        return format_html("<ul>{}</ul>", items) if entries else "–"

    @display(description="Heaviest first")
    def files_panel(self, build: CoreBuild) -> SafeString | str:
        return render_to_string("oven/admin/files.html", {"rows": bars(build.table)}) if build.table else "–"

    @action(description="Pack the runtime", icon="bolt", permissions=["steer"], url_path="prewarm", dialog=REBUILD)
    def prewarm(self, request: HttpRequest, form: Any) -> HttpResponse:
        audit(request, [services.build_core(source="admin", user=request.user)], "asked for")
        return self.back_to_list()


def bars(table: list[list[Any]]) -> list[dict[str, Any]]:
    """Each file with its part of the whole, as widths in percent; the lightest ones together."""
    heaviest = max((row[2] for row in table), default=0) or 1
    shown = [_bar(path, raw, packed, heaviest, error) for path, raw, packed, error in table[:HEAVIEST]]
    rest = table[HEAVIEST:]
    if rest:
        raw, packed = sum(row[1] for row in rest), sum(row[2] for row in rest)
        shown.append(_bar(f"{len(rest)} lighter ones", raw, packed, heaviest))
    return shown


def _bar(path: str, raw: int, packed: int, heaviest: int, error: str = "") -> dict[str, Any]:
    width = f"{min(100.0, 100 * packed / heaviest):.1f}"
    return {"path": path, "raw": size(raw), "packed": size(packed), "width": width, "error": error}


@admin.register(Bundle)
class BundleAdmin(JobAdmin):
    list_display = ("thumb", "name", "state_chip", "outcome", "source", "took", "weight", "hits", "links", "when")
    list_display_links = ("name",)
    list_filter = ("state", "error_code", "source")
    search_fields = ("piece", "filename")
    search_keys = ("piece", "public_id", "capture_key")
    search_help_text = "Piece or id, or how they begin; else a part of a recent name"
    date_hierarchy = "created_at"
    list_select_related = ("artifact",)
    actions = ("again", "cancel", *EXPORTS)
    list_defer = ("source_code", "messages")
    export_more = ("artifact__key", "artifact__bytes", "core__version", "requested_by__username")
    export_hidden = ("source_code",)
    actions_row = ("again_row", "cancel_row")
    actions_detail = ("open_it", "again_row", "cancel_row")
    fieldsets = (
        (None, {"fields": ("large", "piece", "state", "error", "links")}),
        (
            "What came of it",
            {"fields": ("filename", "weight", "file_count", "dep_count", "author_handle", "pack_date")},
        ),
        ("", {"fields": ("core_link", "file_link", "hits", "notes", "steps", "spans_panel")}),
        ("Record", {"fields": ("public_id", "key", "capture_key", "spec", "source", "requested_by", "expires_at")}),
        ("Attempts", {"fields": ("attempts",)}),
    )
    readonly_fields = (
        *("large", "error", "links", "weight", "core_link", "file_link"),
        *("notes", "steps", "spans_panel", "attempts"),
    )

    @display(description="")
    def thumb(self, bundle: Bundle) -> SafeString:
        return picture(bundle.poster_url, bundle.poster_url, "image/webp", bundle.piece)

    @display(description="Piece")
    def large(self, bundle: Bundle) -> SafeString:
        return picture(bundle.poster_url, bundle.poster_url, "image/webp", bundle.piece, large=True)

    @display(description="Bundle", ordering="piece")
    def name(self, bundle: Bundle) -> SafeString:
        options = [name for name, value in bundle.spec.items() if name in ("m4d", "density") and value]
        options += [f"no {name}" for name in ("compress", "minify") if bundle.spec.get(name) is False]
        text = '<b class="oven-name">{}</b><br><span class="oven-dim">{}</span>'
        return format_html(text, bundle.piece, ", ".join(options))

    @display(description="Outcome")
    def outcome(self, bundle: Bundle) -> str:
        return bundle.error_message or bundle.detail or ", ".join(bundle.warnings[:2])

    @display(description="Bytes", ordering="artifact__bytes")
    def weight(self, bundle: Bundle) -> str:
        return size(bundle.artifact.bytes if bundle.artifact else None)

    @display(description=" ")
    def links(self, bundle: Bundle) -> SafeString | str:
        if not bundle.open_url:
            return "–"
        text = '<a class="oven-link" href="{0}" target="_blank" rel="noopener">Open</a> · '
        text += '<a class="oven-link" href="{0}?download=1" download="{1}">Download</a>'
        return format_html(text, bundle.open_url, bundle.filename)

    @display(description="Runtime")
    def core_link(self, bundle: Bundle) -> SafeString | str:
        return model_link(bundle.core, bundle.core.version if bundle.core else "")

    @display(description="File")
    def file_link(self, bundle: Bundle) -> SafeString | str:
        return model_link(bundle.artifact)

    @display(description="Notes")
    def notes(self, bundle: Bundle) -> str:
        return "; ".join(bundle.warnings) or "–"

    @display(description="Steps")
    def steps(self, bundle: Bundle) -> str:
        return "; ".join(bundle.messages) or "–"

    @action(description="Open in a sandbox", icon="open_in_new", url_path="open")
    def open_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        bundle = Bundle.objects.get(pk=object_id)
        return HttpResponseRedirect(bundle.open_url or reverse("admin:bundles_bundle_change", args=[bundle.pk]))

    @action(description="Bundle again", permissions=["steer"])
    def again(self, request: HttpRequest, bundles: QuerySet[Bundle]) -> None:
        self.requeue(request, bundles)

    @action(description="Bundle again", icon="refresh", permissions=["steer"], url_path="again", dialog=AGAIN)
    def again_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self.requeue(request, Bundle.objects.filter(pk=object_id))
        return self.back_to_list()
