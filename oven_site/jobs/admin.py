"""Attempts in the admin: what every run did."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from oven_site.artifacts.stores import public_url
from oven_site.dashboard.admin import CHIPS, HistoryAdmin, ago, duration
from oven_site.jobs.models import Attempt
from oven_site.jobs.states import State

SPAN_ORDER = ("queue", "open", "load", "ready", "capture", "encode", "store")


def span_rows(spans: dict[str, int]) -> list[dict[str, Any]]:
    """Spans as bars after one another: offset and width in percent of the whole."""
    names = [name for name in SPAN_ORDER if name in spans] + [name for name in spans if name not in SPAN_ORDER]
    total = sum(spans.values()) or 1
    rows, at = [], 0.0
    for name in names:
        width = 100 * spans[name] / total
        rows.append({"name": name, "text": duration(spans[name]), "offset": f"{at:.2f}", "width": f"{width:.2f}"})
        at += width
    return rows


def attempts_panel(attempts: list[Attempt]) -> SafeString:
    """All attempts of a job, newest first: outcome, spans, evidence, log, last picture."""
    views = [
        {
            "attempt": attempt,
            "chip": State(attempt.outcome).color,
            "spans": span_rows(attempt.spans),
            "last_frame": public_url("art", attempt.last_frame) if attempt.last_frame else "",
            "lists": [
                (title, attempt.evidence.get(key))
                for key, title in (
                    ("page_errors", "Page errors"),
                    ("console_errors", "Console errors"),
                    ("failed_requests", "Failed requests"),
                )
                if attempt.evidence.get(key)
            ],
            "facts": [
                (title, attempt.evidence[key])
                for key, title in (
                    ("status", "HTTP status"),
                    ("url", "Address"),
                    ("mode", "Mode"),
                    ("ready", "Ready by"),
                    ("requests", "Requests"),
                )
                if attempt.evidence.get(key)
            ],
        }
        for attempt in attempts
    ]
    return render_to_string("oven/admin/attempts.html", {"attempts": views})


@admin.register(Attempt)
class AttemptAdmin(HistoryAdmin):
    list_display = ("job_id", "number", "outcome_chip", "error_code", "error_message", "took", "worker", "when")
    list_filter = ("outcome", "error_code", "kind")
    search_fields = ("job_id",)
    date_hierarchy = "started_at"
    fields = ("panel",)
    readonly_fields = ("panel",)

    @display(description="Outcome", label=CHIPS, ordering="outcome")
    def outcome_chip(self, attempt: Attempt) -> tuple[str, str]:
        return attempt.outcome, attempt.get_outcome_display()

    @display(description="Started", ordering="started_at")
    def when(self, attempt: Attempt) -> SafeString | str:
        return ago(attempt.started_at)

    @display(description="Took")
    def took(self, attempt: Attempt) -> str:
        return duration(sum(attempt.spans.values()) if attempt.spans else None)

    @display(description=" ")
    def panel(self, attempt: Attempt) -> SafeString:
        return format_html("{}", attempts_panel([attempt]))
