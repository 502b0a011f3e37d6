"""Keeps and pins in the admin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from captures.admin import GrabAdmin
from captures.models import Grab
from oven.adminkit.base import EXPORTS, HistoryAdmin, ago, dialog, model_link, picture, size
from oven.jobs.admin import JobAdmin, Refused
from oven.jobs.admission import QueueFull
from pins import services
from pins.models import Keep, Pin

TIMES = ("created_at", "pinned_at", "checked_at")
BACKEND_CHIPS = {"local": "default", "pinata": "primary", "kubo": "info"}
AGAIN = dialog(
    "Check it, and pin it again?",
    "The back-end is asked for the file, and given it once more if it lacks it.",
    "Check",
)
LEFT_OUT = "left out: no file, no credentials, still active, or the queue is full"


def link(url: str, text: str = "") -> SafeString:
    return format_html('<a class="oven-link" href="{}">{}</a>', url, text or url)


def short(cid: str) -> str:
    return f"{cid[:10]}…{cid[-6:]}"


class _PinAgain(HistoryAdmin):
    """What both lists do with their rows."""

    def pin_again(self, request: HttpRequest, rows: Any) -> None:
        def call(row: Keep | Pin) -> None:
            try:
                services.pin_again(row, user=request.user)
            except QueueFull:
                raise Refused from None

        self.act_on_each(request, rows, call, "to be checked, and pinned again where it is needed", LEFT_OUT)


@admin.register(Keep)
class KeepAdmin(_PinAgain):
    list_display = ("thumb", "name", "cid_link", "backend_chip", "keep_id", "source", "weight", "when")
    list_display_links = ("name",)
    list_filter = ("backend", "asked", "format", "source", "own_keys")
    search_fields = ("piece", "cid", "keep_id", "source_id", "sha256")
    search_help_text = "Piece, CID, token or grab"
    date_hierarchy = "pinned_at"
    list_select_related = ("artifact",)
    actions = ("again", *EXPORTS)
    actions_row = ("again_row",)
    actions_detail = ("again_row",)
    fieldsets = (
        (None, {"fields": ("large", "piece", "cid", "gateway", "own_copy", "backend", "keep_id")}),
        ("File", {"fields": ("format", "mime", "weight", "sha256", "stored")}),
        ("Record", {"fields": ("made_by", "source", "asked", "own_keys", "requested_by", *TIMES)}),
    )
    readonly_fields = ("large", "gateway", "own_copy", "weight", "stored", "made_by")

    @display(description="")
    def thumb(self, keep: Keep) -> SafeString:
        return self._picture(keep)

    @display(description="Picture")
    def large(self, keep: Keep) -> SafeString:
        return self._picture(keep, large=True)

    def _picture(self, keep: Keep, large: bool = False) -> SafeString:
        url = keep.artifact.url
        return picture(url if keep.mime.startswith("image/") else "", url, keep.mime, f"Keep of {keep.piece}", large)

    @display(description="Keep", ordering="piece")
    def name(self, keep: Keep) -> SafeString:
        text = '<b class="oven-name">{}</b><br><span class="oven-dim">{}</span>'
        return format_html(text, keep.piece, keep.format)

    @display(description="CID", ordering="cid")
    def cid_link(self, keep: Keep) -> SafeString:
        return format_html('<a class="oven-link" href="{}" title="{}">{}</a>', keep.url, keep.cid, short(keep.cid))

    @display(description="Back-end", label=BACKEND_CHIPS, ordering="backend")
    def backend_chip(self, keep: Keep) -> tuple[str, str]:
        return keep.backend, keep.backend

    @display(description="Bytes", ordering="bytes")
    def weight(self, keep: Keep) -> str:
        return size(keep.bytes)

    @display(description="Pinned", ordering="pinned_at")
    def when(self, keep: Keep) -> SafeString | str:
        return ago(keep.pinned_at)

    @display(description="At the gateway")
    def gateway(self, keep: Keep) -> SafeString:
        return link(keep.url)

    @display(description="Our copy")
    def own_copy(self, keep: Keep) -> SafeString:
        return link(f"/ipfs/{keep.cid}")

    @display(description="Stored as")
    def stored(self, keep: Keep) -> SafeString | str:
        return model_link(keep.artifact)

    @display(description="Made by")
    def made_by(self, keep: Keep) -> SafeString | str:
        return model_link(keep.grab) if keep.grab else keep.source_id or "–"

    @action(description="Check, and pin again", permissions=["steer"])
    def again(self, request: HttpRequest, keeps: QuerySet[Keep]) -> None:
        self.pin_again(request, keeps.select_related("artifact", "grab").iterator())

    @action(description="Check, and pin again", icon="sync", permissions=["steer"], url_path="again", dialog=AGAIN)
    def again_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self.pin_again(request, Keep.objects.filter(pk=object_id))
        return self.back_to_list()


@admin.register(Pin)
class PinAdmin(JobAdmin, _PinAgain):
    list_display = ("thumb", "name", "state_chip", "outcome", "backend_chip", "source", "attempt", "next_try", "when")
    list_display_links = ("name",)
    list_filter = ("state", "backend", "error_code", "source", "asked", "found", "own_keys")
    search_fields = ("piece", "public_id", "cid", "keep_id", "source_id")
    search_help_text = "Piece, id, CID, token or grab"
    date_hierarchy = "created_at"
    list_select_related = ("grab",)
    actions = ("again", "cancel", *EXPORTS)
    actions_row = ("again_row", "cancel_row")
    actions_detail = ("again_row", "cancel_row")
    fieldsets = (
        (None, {"fields": ("piece", "state", "error", "cid", "backend", "found", "next_try", "spans_panel")}),
        (
            "Record",
            {
                "fields": (
                    *(
                        "public_id",
                        "grab",
                        "source_id",
                        "filename",
                        "sha256",
                        "keep_id",
                        "source",
                        "asked",
                        "own_keys",
                    ),
                    *("lane", "requested_by", "attempt", "max_attempts", "worker", "created_at", "started_at"),
                    "ended_at",
                )
            },
        ),
        ("Attempts", {"fields": ("attempts",)}),
    )
    readonly_fields = ("error", "next_try", "spans_panel", "attempts")

    @display(description="")
    def thumb(self, pin: Pin) -> SafeString:
        return picture(pin.poster_url, pin.poster_url, "image/webp", f"Pin of {pin.piece}")

    @display(description="Pin", ordering="piece")
    def name(self, pin: Pin) -> SafeString:
        text = '<b class="oven-name">{}</b><br><span class="oven-dim">{}</span>'
        return format_html(text, pin.piece, pin.format)

    @display(description="Outcome")
    def outcome(self, pin: Pin) -> SafeString | str:
        return link(f"/ipfs/{pin.cid}", short(pin.cid)) if pin.cid else pin.error_message or pin.detail

    @display(description="Back-end", label=BACKEND_CHIPS, ordering="backend")
    def backend_chip(self, pin: Pin) -> tuple[str, str]:
        return pin.backend, pin.backend

    @display(description="Next try", ordering="due_at")
    def next_try(self, pin: Pin) -> SafeString | str:
        return ago(pin.due_at)

    @action(description="Pin again", permissions=["steer"])
    def again(self, request: HttpRequest, pins: QuerySet[Pin]) -> None:
        self.requeue(request, pins)

    @action(description="Pin again", icon="sync", permissions=["steer"], url_path="again", dialog=AGAIN)
    def again_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self.requeue(request, Pin.objects.filter(pk=object_id))
        return self.back_to_list()


# --- grabs ----------------------------------------------------------------------------------------------------------

PIN = dialog("Pin it to IPFS?", "The file gets a CID and is kept for good, also when the grab expires.", "Pin it")


def after(names: Sequence[str], name: str, new: str) -> tuple[str, ...]:
    at = names.index(name) + 1
    return (*names[:at], new, *names[at:])


admin.site.unregister(Grab)


@admin.register(Grab)
class PinnableGrabAdmin(GrabAdmin):
    """Grabs, with the actions that pin their files."""

    actions = after(GrabAdmin.actions, "again_without_cache", "pin")
    actions_row = after(GrabAdmin.actions_row, "again_without_cache_row", "pin_row")
    actions_detail = after(GrabAdmin.actions_detail, "again_without_cache_row", "pin_row")

    @action(description="Pin to IPFS", permissions=["steer"])
    def pin(self, request: HttpRequest, grabs: QuerySet[Grab]) -> None:
        self._pin(request, grabs.select_related("artifact").iterator())

    @action(description="Pin to IPFS", icon="keep", permissions=["steer"], url_path="pin", dialog=PIN)
    def pin_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self._pin(request, Grab.objects.filter(pk=object_id))
        return self.back_to_list()

    def _pin(self, request: HttpRequest, grabs: Any) -> None:
        def call(grab: Grab) -> None:
            try:
                services.pin(grab, user=request.user)
            except QueueFull:
                raise Refused from None

        self.act_on_each(request, grabs, call, "are being pinned", "left out: no file, or nowhere to pin it")
