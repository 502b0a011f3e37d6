"""Bakes and what the site was told of them, in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from bakes import services
from bakes.models import Bake, Delivery, Site
from oven.adminkit.base import EXPORTS, ago, changelist_link, dialog, duration, model_link, once, picture, size
from oven.jobs.admin import JobAdmin
from oven.jobs.models import Attempt
from oven.jobs.states import State

SITE_CHIPS = {site: site.color for site in Site}
AGAIN = dialog("Bake again?", "The tape is fetched and baked anew, and takes the place of this video.", "Bake again")
REPLAY = dialog("Tell the site again?", "The last message about this bake is sent once more, now.", "Send it")
NO_MESSAGE = "left out: no message, or one that is still under way"


@admin.register(Bake)
class BakeAdmin(JobAdmin):
    list_display = (
        *("thumb", "name", "state_chip", "site_chip", "outcome", "lane_chip", "source", "took", "length", "weight"),
        "when",
    )
    list_display_links = ("name",)
    list_filter = ("state", "site", "error_code", "source", "sound", "lane")
    search_fields = ("code", "slug")
    search_keys = ("code", "slug", "public_id", "mongo_id")
    search_help_text = "Code, slug, id or the site's id, or how they begin"
    date_hierarchy = "created_at"
    list_select_related = ("video", "thumbnail")
    actions = ("again", "replay", "cancel", *EXPORTS)
    export_more = ("video__key", "video__bytes", "thumbnail__key", "requested_by__username")
    actions_row = ("again_row", "replay_row", "cancel_row")
    actions_detail = ("again_row", "replay_row", "cancel_row")
    fieldsets = (
        (None, {"fields": ("player", "code", "slug", "state", "site", "error")}),
        (
            "What came of it",
            {"fields": ("pixels", "length", "sound", "weight", "video_link", "files", "spans_panel")},
        ),
        ("The site", {"fields": ("site_status", "site_details", "site_at", "history")}),
        (
            "Record",
            {
                "fields": (
                    *("public_id", "mongo_id", "zip_url", "callback_url", "source", "lane", "requested_by"),
                    *(
                        "requeued_from_link",
                        "requeued_as_link",
                        "attempt",
                        "worker",
                        "created_at",
                        "started_at",
                        "ended_at",
                    ),
                )
            },
        ),
        ("Attempts", {"fields": ("attempts",)}),
    )
    readonly_fields = (
        *("player", "error", "pixels", "length", "weight", "video_link", "files", "spans_panel"),
        *("history", "requeued_from_link", "requeued_as_link", "attempts"),
    )

    # --- columns ---

    @display(description="")
    def thumb(self, bake: Bake) -> SafeString:
        return picture(bake.versioned_thumbnail_url, bake.versioned_video_url, "video/mp4", f"Tape {bake.code}")

    @display(description="Video")
    def player(self, bake: Bake) -> SafeString | str:
        if not bake.video:
            return "–"
        return format_html(
            '<video class="oven-player" controls loop playsinline preload="metadata" src="{}" poster="{}"></video>',
            bake.versioned_video_url,
            bake.versioned_thumbnail_url,
        )

    @display(description="Tape", ordering="code")
    def name(self, bake: Bake) -> SafeString:
        shape = f"{bake.width}×{bake.height}" if bake.width else ""
        text = '<b class="oven-name">{}</b><br><span class="oven-dim">{} {}</span>'
        return format_html(text, bake.code, bake.slug, shape)

    @display(description="Site", label=SITE_CHIPS, ordering="site")
    def site_chip(self, bake: Bake) -> tuple[str, str]:
        return bake.site, bake.get_site_display()

    @display(description="Outcome")
    def outcome(self, bake: Bake) -> str:
        return bake.error_message or bake.site_details or bake.detail

    @display(description="Length", ordering="video_ms")
    def length(self, bake: Bake) -> str:
        return duration(bake.video_ms)

    @display(description="Bytes", ordering="video__bytes")
    def weight(self, bake: Bake) -> str:
        return size(bake.video.bytes if bake.video else None)

    @display(description="Size")
    def pixels(self, bake: Bake) -> str:
        return f"{bake.width}×{bake.height}, {bake.frames} frames" if bake.width else "–"

    @display(description="Address")
    def video_link(self, bake: Bake) -> SafeString | str:
        return format_html('<a class="oven-link" href="{0}">{0}</a>', bake.video_url) if bake.video else "–"

    @display(description="See also")
    @once
    def files(self, bake: Bake) -> SafeString:
        found = [
            (model_link(bake.video, "the video's file"), bake.video),
            (model_link(bake.thumbnail, "the thumbnail's file"), bake.thumbnail),
            (changelist_link(Delivery, "its messages", bake__id__exact=bake.pk), True),
            (changelist_link(Attempt, "its attempts", q=bake.public_id), bake.attempt),
            (changelist_link(Bake, "bakes of the same tape", q=bake.code), True),
        ]
        return format_html_join(" · ", "{}", ((link,) for link, there in found if there))

    @display(description="Messages")
    @once
    def history(self, bake: Bake) -> SafeString:
        deliveries = list(bake.deliveries.order_by("-id"))
        tries = Attempt.objects.filter(kind=Delivery.kind, job_pk__in=[d.pk for d in deliveries]).order_by("number")
        rows = [
            {
                "delivery": delivery,
                "chip": State(delivery.state).color,
                "link": model_link(delivery, delivery.get_event_display()),
                "tries": [(attempt, _came_of(attempt)) for attempt in tries if attempt.job_pk == delivery.pk],
            }
            for delivery in deliveries
        ]
        return format_html("{}", render_to_string("oven/admin/deliveries.html", {"rows": rows}))

    # --- actions ---

    @action(description="Bake again", permissions=["steer"])
    def again(self, request: HttpRequest, bakes: QuerySet[Bake]) -> None:
        self.requeue(request, bakes)

    @action(description="Tell the site again", permissions=["steer"])
    def replay(self, request: HttpRequest, bakes: QuerySet[Bake]) -> None:
        self.act_on_each(request, bakes.iterator(), services.replay, "sent to the site again", NO_MESSAGE)

    @action(description="Bake again", icon="refresh", permissions=["steer"], url_path="again", dialog=AGAIN)
    def again_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self.requeue(request, Bake.objects.filter(pk=object_id))
        return self.back_to_list()

    @action(description="Tell the site", icon="send", permissions=["steer"], url_path="replay", dialog=REPLAY)
    def replay_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        rows = Bake.objects.filter(pk=object_id)
        self.act_on_each(request, rows, services.replay, "sent to the site again", NO_MESSAGE)
        return self.back_to_list()


def _came_of(attempt: Attempt) -> str:
    return attempt.error_message or attempt.evidence.get("answer", "") or State(attempt.outcome).label


@admin.register(Delivery)
class DeliveryAdmin(JobAdmin):
    list_display = ("bake_link", "event", "state_chip", "status", "attempt", "outcome", "next_try", "when")
    list_display_links = ("event",)
    list_filter = ("state", "event", "status", "error_code", "source")
    search_fields = ("url",)
    search_keys = ("bake__code", "public_id", "message_id")
    search_help_text = "A tape's code or an id, or how they begin; else a part of a recent address"
    date_hierarchy = "created_at"
    list_select_related = ("bake",)
    actions = ("replay", "cancel", *EXPORTS)
    export_more = ("bake__code",)
    actions_row = ("replay_row", "cancel_row")
    actions_detail = ("replay_row", "cancel_row")
    fields = (
        *("bake_link", "event", "state", "status", "answer", "error", "next_try", "url", "message_id", "payload"),
        *("replay_of", "attempt", "max_attempts", "created_at", "ended_at", "attempts"),
    )
    readonly_fields = ("bake_link", "error", "next_try", "attempts")

    @display(description="Tape", ordering="bake__code")
    def bake_link(self, delivery: Delivery) -> SafeString | str:
        return model_link(delivery.bake, delivery.bake.code)

    @display(description="Outcome")
    def outcome(self, delivery: Delivery) -> str:
        return delivery.error_message or delivery.answer

    @display(description="Next try", ordering="due_at")
    def next_try(self, delivery: Delivery) -> SafeString | str:
        return ago(delivery.due_at)

    @action(description="Send again", permissions=["steer"])
    def replay(self, request: HttpRequest, deliveries: QuerySet[Delivery]) -> None:
        self._replay(request, deliveries)

    @action(description="Send again", icon="send", permissions=["steer"], url_path="replay", dialog=REPLAY)
    def replay_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self._replay(request, Delivery.objects.filter(pk=object_id))
        return self.back_to_list()

    def _replay(self, request: HttpRequest, deliveries: QuerySet[Delivery]) -> None:
        bakes = Bake.objects.filter(deliveries__in=deliveries).distinct()
        self.act_on_each(request, bakes, services.replay, "sent to the site again", NO_MESSAGE)
