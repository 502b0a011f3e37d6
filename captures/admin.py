"""Grabs and frozen pieces in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from captures import frozen, services
from captures.models import FrozenPiece, Grab, ScreenshotPreset
from captures.og_images.admin import CardAdmin
from captures.requests import check_piece
from oven.adminkit.base import (
    EXPORTS,
    CappedPaginator,
    Exporting,
    ago,
    audit,
    changelist_link,
    dialog,
    model_link,
    once,
    picture,
    size,
)
from oven.adminkit.changelist import MATCHES, InOrder
from oven.errors import BadRequest
from oven.jobs.admin import JobAdmin
from oven.jobs.models import Attempt

__all__ = ["CardAdmin", "FrozenPieceAdmin", "GrabAdmin"]

RESULT_FIELDS = (
    "files",
    "pixels",
    "weight",
    "warning_list",
    "still_reason",
    "blank",
    "mode",
    "ready",
    "ready_ms",
    "spans_panel",
)
RECORD_FIELDS = (
    *(
        "public_id",
        "capture_key",
        "purpose",
        "source",
        "lane",
        "requested_by",
        "requeued_from_link",
        "requeued_as_link",
        "attempt",
        "worker",
    ),
    *("created_at", "started_at", "ended_at", "expires_at"),
)
SHOWN = 5  # names in a message
MOST_NAMES = 2_000  # that grabs are looked up by; of more, or where they have very many, grabs are read in order
AGAIN = dialog("Grab again?", "A new row is made; a capture still in the cache answers at once.", "Grab again")
ANEW = dialog(
    "Capture anew?", "The piece is captured without the cache, and replaces what is cached.", "Capture anew"
)
FREEZE = dialog(
    "Freeze its piece?", "It is answered with its last good frame, in every format, until it is unfrozen.", "Freeze"
)
UNFREEZE = dialog("Unfreeze it?", "It is captured again; a grab that does not move lists it again.", "Unfreeze")


@admin.register(Grab)
class GrabAdmin(JobAdmin):
    list_display = ("thumb", "name", "state_chip", "outcome", "lane_chip", "source", "took", "weight", "when")
    list_display_links = ("name",)
    list_filter = ("state", "purpose", "format", "error_code", "source", "still_reason", "mode", "lane", "blank")
    search_fields = ("piece",)
    search_keys = ("public_id", "capture_key")
    search_help_text = "A part of a piece's name, an id or a capture key"
    date_hierarchy = "created_at"
    list_select_related = ("artifact",)
    actions: Any = ("again", "again_without_cache", "freeze", "unfreeze", "cancel", *EXPORTS)
    export_more = ("artifact__key", "artifact__bytes", "requested_by__username")
    actions_row: Any = ("again_row", "again_without_cache_row", "freeze_row", "cancel_row")
    actions_detail: Any = ("again_row", "again_without_cache_row", "freeze_row", "unfreeze_row", "cancel_row")
    fieldsets = (
        (None, {"fields": ("large", "piece", "state", "error", "link", "ipfs_cid", "requested", "links")}),
        ("What came of it", {"fields": RESULT_FIELDS}),
        ("Record", {"fields": RECORD_FIELDS}),
        ("Attempts", {"fields": ("attempts",)}),
    )
    readonly_fields = (
        *("large", "state", "error", "link", "requested", "links"),
        *("files", "pixels", "weight", "spans_panel", "requeued_from_link", "requeued_as_link", "attempts"),
    )

    def search(self, rows: QuerySet[Grab], text: str) -> QuerySet[Grab] | None:
        """By a whole id or key, else by names that hold the text, else by how ids and keys begin."""
        if exact := services.with_key(text):
            return rows.filter(pk__in=exact)
        names = services.pieces_with(text, MOST_NAMES + 1)
        if not names:
            return super().search(rows, text)
        of_these = self.model._default_manager.order_by().filter(piece__in=names)
        if len(names) > MOST_NAMES or of_these[: MATCHES + 1].count() > MATCHES:
            return None
        return rows.filter(piece__in=names)

    def search_in_order(self, rows: QuerySet[Grab], text: str) -> QuerySet[Grab]:
        return rows.alias(_piece=InOrder("piece")).filter(_piece__icontains=text)

    # --- columns ---

    @display(description="")
    def thumb(self, grab: Grab) -> SafeString:
        return self._picture(grab)

    @display(description="Picture")
    def large(self, grab: Grab) -> SafeString:
        return self._picture(grab, large=True)

    def _picture(self, grab: Grab, large: bool = False) -> SafeString:
        mime = grab.artifact.mime if grab.artifact else ""
        still = grab.cdn_url if large and mime.startswith("image/") else grab.poster_url
        return picture(still, grab.cdn_url, mime, f"{grab.piece}, {grab.format}", large)

    @display(description="Grab", ordering="piece")
    def name(self, grab: Grab) -> SafeString:
        shape = f"{grab.format} {grab.out_width}×{grab.out_height}"
        return format_html('<b class="oven-name">{}</b><br><span class="oven-dim">{}</span>', grab.piece, shape)

    @display(description="Outcome")
    def outcome(self, grab: Grab) -> str:
        if grab.error_message:
            return grab.error_message
        notes = [grab.still_reason and f"a still: {grab.still_reason}", grab.blank and "all black"]
        if grab.warnings:
            notes.append(f"{len(grab.warnings)} warning{'s' * (len(grab.warnings) != 1)}")
        notes.append(grab.mode if grab.mode not in ("", "virtual") else "")
        return ", ".join(note for note in notes if note) or grab.detail

    @display(description="Warnings")
    def warning_list(self, grab: Grab) -> SafeString | str:
        lines = ((f"{warning['message']} ({warning['code']})",) for warning in grab.warnings)
        return format_html_join(SafeString("<br>"), "{}", lines) or "–"

    @display(description="Bytes", ordering="artifact__bytes")
    def weight(self, grab: Grab) -> str:
        return size(grab.artifact.bytes if grab.artifact else None)

    @display(description="Size")
    def pixels(self, grab: Grab) -> str:
        frames = f", {grab.artifact.frames} frames" if grab.artifact and grab.artifact.frames else ""
        return f"{grab.out_width}×{grab.out_height}{frames}"

    @display(description="Address")
    def link(self, grab: Grab) -> SafeString | str:
        return format_html('<a class="oven-link" href="{0}">{0}</a>', grab.cdn_url) if grab.cdn_url else "–"

    @display(description="See also")
    @once
    def links(self, grab: Grab) -> SafeString:
        frozen = FrozenPiece.objects.filter(piece=grab.piece).first()
        found = [
            (model_link(grab.artifact, "its file"), grab.artifact),
            (changelist_link(Attempt, "its attempts", q=grab.public_id), grab.attempt),
            (model_link(frozen, "its entry on the frozen list"), frozen),
            (changelist_link(Grab, "grabs of the same picture", q=grab.capture_key), True),
            (changelist_link(Grab, "grabs that repeat it", requeued_from__id__exact=grab.pk), True),
        ]
        return format_html_join(" · ", "{}", ((link,) for link, there in found if there))

    @display(description="Asked for")
    def requested(self, grab: Grab) -> str:
        shown = {name: value for name, value in grab.spec.items() if value not in (None, "", False, [])}
        shown |= shown.pop("page", {})
        if shown.pop("encrypted", ""):
            shown["headers or cookies"] = "(not shown)"
        texts = {
            name: "+".join(map(str, value)) if isinstance(value, list) else value for name, value in shown.items()
        }
        return ", ".join(f"{name} {value}" for name, value in texts.items())

    @display(description="Files")
    def files(self, grab: Grab) -> SafeString | str:
        """Of a capture for several."""
        found = [output for output in grab.outputs.select_related("artifact") if output.artifact]
        links = (
            (o.artifact.url, f"{o.format} {o.width}×{o.height}", size(o.artifact.bytes)) for o in found if o.artifact
        )
        return format_html_join(", ", '<a class="oven-link" href="{}">{}</a> ({})', links) or "–"

    # --- actions on a selection or the whole filter ---

    @action(description="Grab again", permissions=["steer"])
    def again(self, request: HttpRequest, grabs: QuerySet[Grab]) -> None:
        self.requeue(request, grabs)

    @action(description="Grab again without the cache", permissions=["steer"])
    def again_without_cache(self, request: HttpRequest, grabs: QuerySet[Grab]) -> None:
        self.requeue(request, grabs, skip_cache=True)

    # --- the same on one row ---

    @action(description="Grab again", icon="refresh", permissions=["steer"], url_path="again", dialog=AGAIN)
    def again_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self.requeue(request, Grab.objects.filter(pk=object_id))
        return self.back_to_list()

    @action(description="Capture anew", icon="cached", permissions=["steer"], url_path="anew", dialog=ANEW)
    def again_without_cache_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self.requeue(request, Grab.objects.filter(pk=object_id), skip_cache=True)
        return self.back_to_list()

    @action(description="Freeze their pieces", permissions=["freeze"])
    def freeze(self, request: HttpRequest, grabs: QuerySet[Grab]) -> None:
        self._freeze(request, grabs)

    @action(description="Freeze", icon="ac_unit", permissions=["freeze"], url_path="freeze", dialog=FREEZE)
    def freeze_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self._freeze(request, Grab.objects.filter(pk=object_id))
        return self.back_to_list()

    @action(description="Unfreeze their pieces", permissions=["unfreeze"])
    def unfreeze(self, request: HttpRequest, grabs: QuerySet[Grab]) -> None:
        self._unfreeze(request, grabs)

    @action(description="Unfreeze", icon="sunny", permissions=["unfreeze"], url_path="unfreeze", dialog=UNFREEZE)
    def unfreeze_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self._unfreeze(request, Grab.objects.filter(pk=object_id))
        return self.back_to_list()

    def has_freeze_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(request.user.has_perm("captures.add_frozenpiece"))

    def has_unfreeze_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Return whether the user may unfreeze; on the page of a grab also whether its piece is frozen."""
        if not request.user.has_perm("captures.delete_frozenpiece"):
            return False
        piece = Grab.objects.filter(pk=object_id).values("piece")
        return object_id is None or FrozenPiece.objects.filter(piece__in=piece).exists()

    def _freeze(self, request: HttpRequest, grabs: QuerySet[Grab]) -> None:
        pieces = sorted(set(grabs.order_by().values_list("piece", flat=True)))
        audit(request, [frozen.freeze(piece, "", request.user) for piece in pieces], "frozen")
        messages.success(request, f"Frozen: {_listed(pieces)}.")

    def _unfreeze(self, request: HttpRequest, grabs: QuerySet[Grab]) -> None:
        entries = list(FrozenPiece.objects.filter(piece__in=grabs.order_by().values("piece")).order_by("piece"))
        audit(request, entries, "unfrozen")
        for entry in entries:
            frozen.unfreeze(entry.piece)
        if entries:
            messages.success(request, f"Unfrozen: {_listed([entry.piece for entry in entries])}.")
        else:
            messages.warning(request, "No such piece is frozen.")


@admin.register(ScreenshotPreset)
class ScreenshotPresetAdmin(ModelAdmin):
    """Rows of the store screenshots' page; what is added here is captured like the rest."""

    list_display = ("label", "name", "width", "height", "density", "category", "position")
    list_filter = ("category",)
    search_fields = ("name", "label")
    fields = ("label", "name", ("width", "height"), "density", "category", "position")
    prepopulated_fields = {"name": ("label",)}


@admin.register(FrozenPiece)
class FrozenPieceAdmin(Exporting):
    """Adding a row freezes a piece; the unfreeze action takes it off the list."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ("piece", "last")
    list_display = ("thumb", "piece", "reason_chip", "error", "attempts", "first", "last", "latest")
    list_display_links = ("piece",)
    list_filter = ("reason",)
    search_fields = ("piece", "error")
    list_select_related = ("grab",)
    actions = ("unfreeze", "unfreeze_and_grab", *EXPORTS)
    actions_row = ("unfreeze_row",)
    fields = ("piece", "error")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("piece",) if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "error" and field is not None:
            field.label, field.help_text = "Reason", "For staff only."
        if db_field.name == "piece" and field is not None:
            field.help_text = "The piece's name as it is asked for, $ included."
            field.validators.append(_valid_piece)
        return field

    def save_model(self, request: HttpRequest, obj: FrozenPiece, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        obj.pk = frozen.freeze(obj.piece, obj.error, request.user).pk
        obj.refresh_from_db()

    @display(description="")
    def thumb(self, entry: FrozenPiece) -> SafeString:
        return picture(entry.preview_url, entry.preview_url, "image/webp", entry.piece)

    @display(description="Grab")
    def latest(self, entry: FrozenPiece) -> SafeString | str:
        return model_link(entry.grab, "latest")

    @display(description="First seen", ordering="first_detected")
    def first(self, entry: FrozenPiece) -> SafeString | str:
        return ago(entry.first_detected)

    @display(description="Last seen", ordering="last_attempt")
    def last(self, entry: FrozenPiece) -> SafeString | str:
        return ago(entry.last_attempt)

    @display(description="Reason", label={"frozen": "info", "flat": "warning", "staff": "primary"})
    def reason_chip(self, entry: FrozenPiece) -> tuple[str, str]:
        return entry.reason, entry.get_reason_display()

    @action(description="Unfreeze", permissions=["delete"])
    def unfreeze(self, request: HttpRequest, entries: QuerySet[FrozenPiece]) -> None:
        self._unfreeze(request, list(entries))

    @action(description="Unfreeze and grab again", permissions=["delete"])
    def unfreeze_and_grab(self, request: HttpRequest, entries: QuerySet[FrozenPiece]) -> None:
        rows = list(entries.select_related("grab"))
        for entry in rows:
            if entry.grab:
                services.ask_again(entry.grab, skip_cache=True, user=request.user)
        self._unfreeze(request, rows)

    @action(description="Unfreeze", icon="sunny", permissions=["delete"], url_path="unfreeze", dialog=UNFREEZE)
    def unfreeze_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self._unfreeze(request, list(FrozenPiece.objects.filter(pk=object_id)))
        return HttpResponse(headers={"HX-Redirect": "/admin/captures/frozenpiece/"})

    def _unfreeze(self, request: HttpRequest, entries: list[FrozenPiece]) -> None:
        audit(request, entries, "unfrozen")
        for entry in entries:
            frozen.unfreeze(entry.piece)
        messages.success(request, f"{len(entries)} unfrozen.")


def _listed(pieces: list[str]) -> str:
    more = f" and {len(pieces) - SHOWN} more" if len(pieces) > SHOWN else ""
    return ", ".join(pieces[:SHOWN]) + more


def _valid_piece(value: str) -> None:
    from django.core.exceptions import ValidationError

    try:
        check_piece(value)
    except BadRequest as bad:
        raise ValidationError(bad.message) from None
