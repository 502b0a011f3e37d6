"""Cards in the admin. Found by Django through `captures.admin`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from captures.og_images.models import Card
from oven.adminkit.base import EXPORTS, ago, dialog, picture, size
from oven.jobs.admin import JobAdmin
from oven.jobs.states import State

RECORD_FIELDS = (
    *("public_id", "key", "source", "lane", "requested_by", "attempt", "worker"),
    *("created_at", "started_at", "ended_at"),
)
REFRESH = dialog(
    "Make it again?", "Its pieces are captured anew; the picture that is there stays until then.", "Make it again"
)


@admin.register(Card)
class CardAdmin(JobAdmin):
    list_display = ("thumb", "name", "state_chip", "outcome", "age", "source", "took", "weight", "when")
    list_display_links = ("name",)
    list_filter = ("layout", "state", "error_code", "source")
    search_fields = ("layout", "public_id", "key")
    search_help_text = "Layout, id or key"
    date_hierarchy = "created_at"
    list_select_related = ("artifact",)
    actions = ("refresh", "cancel", *EXPORTS)
    actions_row = ("refresh_row", "cancel_row")
    actions_detail = ("refresh_row", "cancel_row")
    fieldsets = (
        (None, {"fields": ("large", "layout", "day", "state", "error", "link")}),
        ("What it shows", {"fields": ("featured", "pieces", "pixels", "weight", "spans_panel")}),
        ("Record", {"fields": RECORD_FIELDS}),
        ("Attempts", {"fields": ("attempts",)}),
    )
    readonly_fields = ("large", "state", "error", "link", "pixels", "weight", "spans_panel", "attempts")

    # --- columns ---

    @display(description="")
    def thumb(self, card: Card) -> SafeString:
        return self._picture(card)

    @display(description="Picture")
    def large(self, card: Card) -> SafeString:
        return self._picture(card, large=True)

    def _picture(self, card: Card, large: bool = False) -> SafeString:
        mime = card.artifact.mime if card.artifact else ""
        return picture(card.url, card.url, mime, card.title, large)

    @display(description="Card", ordering="layout")
    def name(self, card: Card) -> SafeString:
        return format_html('<b class="oven-name">{}</b><br><span class="oven-dim">{}</span>', card.layout, card.day)

    @display(description="Outcome")
    def outcome(self, card: Card) -> str:
        if card.error_message or card.active:
            return card.error_message or card.detail
        if card.featured:
            return f"${card.featured['code']}"
        return f"{len(card.pieces)} pieces" if card.pieces else ""

    @display(description="Age", ordering="ended_at")
    def age(self, card: Card) -> SafeString | str:
        return ago(card.ended_at) if card.state == State.COMPLETE else "–"

    @display(description="Bytes", ordering="artifact__bytes")
    def weight(self, card: Card) -> str:
        return size(card.artifact.bytes if card.artifact else None)

    @display(description="Size")
    def pixels(self, card: Card) -> str:
        return f"{card.artifact.width}×{card.artifact.height}" if card.artifact else "–"

    @display(description="Address")
    def link(self, card: Card) -> SafeString | str:
        return format_html('<a class="oven-link" href="{0}">{0}</a>', card.url) if card.artifact else "–"

    # --- actions ---

    @action(description="Make again", permissions=["steer"])
    def refresh(self, request: HttpRequest, cards: QuerySet[Card]) -> None:
        self.requeue(request, cards)

    @action(description="Make again", icon="refresh", permissions=["steer"], url_path="refresh", dialog=REFRESH)
    def refresh_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self.requeue(request, Card.objects.filter(pk=object_id))
        return self.back_to_list()
