"""What the admin pages of every kind of job share, and attempts: what every run did."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from oven.adminkit.base import HistoryAdmin, ago, audit, chip, dialog, duration, model_link, once
from oven.errors import BadRequest
from oven.jobs import admission, bulk, lifecycle, registry
from oven.jobs.models import Attempt, BulkAction, Job
from oven.jobs.states import ENDED, Lane, State
from oven.storage.urls import public_url

LANE_CHIPS = {lane: lane.color for lane in Lane}
MOST_LINKS = 5
TONES = {state.value: state.color for state in State}

SPAN_ORDER = (
    *("queue", "open", "load", "ready", "capture", "encode"),
    *("download", "extracting", "processing", "store", "post"),
)
UNDO = dialog("Undo it?", "What it has queued and nothing has started yet is deleted.", "Undo it")
CANCEL = dialog("Cancel it?", "Waiting work ends at once, running work within two seconds.", "Cancel the work")


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
                    ("notes", "Notes"),
                )
                if attempt.evidence.get(key)
            ],
            "facts": [
                (title, attempt.evidence[key])
                for key, title in (
                    ("status", "HTTP status"),
                    ("answer", "Answer"),
                    ("frames", "Frames"),
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


class Refused(ValueError):
    """This row does not allow that."""


class JobAdmin(HistoryAdmin):
    """A kind of job: its rows are history, and are acted on by actions."""

    # --- columns ---

    @display(description="State", ordering="state")
    def state_chip(self, job: Job) -> SafeString:
        found = chip(State(job.state).label, TONES.get(job.state))
        return format_html("{} {}", found, chip("Requeued", "info")) if job.requeued_at else found

    @display(description="Lane", ordering="lane")
    def lane_chip(self, job: Any) -> SafeString:
        return chip(job.get_lane_display(), LANE_CHIPS.get(job.lane))

    @display(description="Asked", ordering="created_at")
    def when(self, job: Job) -> SafeString | str:
        return ago(job.created_at)

    @display(description="Took", ordering="ended_at")
    def took(self, job: Any) -> str:
        return duration(job.duration_ms)

    @display(description="Error")
    def error(self, job: Job) -> str:
        return f"{job.error_message} ({job.error_code})" if job.error_code else "–"

    @display(description="Requeued from")
    def requeued_from_link(self, job: Any) -> SafeString | str:
        return model_link(job.requeued_from)

    @display(description="Requeued as")
    @once
    def requeued_as_link(self, job: Any) -> SafeString | str:
        if job.requeued_at is None:
            return "–"
        links = ((model_link(row),) for row in job.requeued_as.order_by("-pk")[:MOST_LINKS])
        return format_html_join(", ", "{}", links) or f"an equal job, {naturaltime(job.requeued_at)}"

    @display(description="Time spent")
    def spans_panel(self, job: Job) -> SafeString | str:
        return render_to_string("oven/admin/spans.html", {"spans": span_rows(job.spans)}) if job.spans else "–"

    @display(description=" ")
    @once
    def attempts(self, job: Job) -> SafeString:
        rows = Attempt.objects.filter(kind=job.kind, job_pk=job.pk).order_by("-number")
        return format_html("{}", attempts_panel(list(rows)))

    # --- actions ---

    def requeue(self, request: HttpRequest, rows: QuerySet[Any], skip_cache: bool = False) -> None:
        """Requeue rows by the one service for it, and say what was done."""
        try:
            found = bulk.requeue(rows, user=request.user, skip_cache=skip_cache)
        except (BadRequest, admission.NotAdmitted) as refused:
            messages.warning(request, refused.message)
            return
        if found.job is not None:
            audit(request, [rows.filter(state__in=ENDED)[0]], f"requeued as {found.job}")
            messages.success(request, format_html("Requeued as {}.", model_link(found.job)))
        elif found.action is not None:
            audit(request, [found.action], found.action.spec["text"])
            undo = model_link(found.action, f"can be undone for {settings.OVEN_UNDO_S:g} s")
            messages.success(request, format_html("{}: {}.", found.action.spec["text"], undo))

    @action(description="Cancel", permissions=["steer"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[Any]) -> None:
        self._cancel(request, jobs.iterator())

    @action(description="Cancel", icon="cancel", permissions=["steer"], url_path="cancel", dialog=CANCEL)
    def cancel_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        self._cancel(request, self.model._default_manager.filter(pk=object_id))
        return self.back_to_list()

    def _cancel(self, request: HttpRequest, jobs: Any) -> None:
        def call(job: Job) -> None:
            try:
                lifecycle.cancel(job)
            except lifecycle.StateMismatch:
                raise Refused from None

        self.act_on_each(request, jobs, call, "cancelled", "left out: they have ended")


@admin.register(BulkAction)
class BulkActionAdmin(HistoryAdmin):
    list_display = ("what", "state_chip", "asked", "done", "requested_by", "when")
    list_filter = ("action", "state")
    search_fields = ("public_id", "requested_by__username")
    date_hierarchy = "created_at"
    list_select_related = ("requested_by",)
    actions_row = ("undo_row",)
    actions_detail = ("undo_row",)
    fields = (
        "what",
        "public_id",
        "action",
        "state",
        "asked",
        "done",
        "requested_by",
        "created_at",
        "ended_at",
        "spec",
    )

    @display(description="Action")
    def what(self, action: BulkAction) -> str:
        return str(action.spec.get("text") or action.title)

    @display(description="State", ordering="state")
    def state_chip(self, action: BulkAction) -> SafeString:
        return chip(State(action.state).label, TONES.get(action.state))

    @display(description="Asked", ordering="created_at")
    def when(self, action: BulkAction) -> SafeString | str:
        return ago(action.created_at)

    @action(description="Undo", icon="undo", permissions=["steer"], url_path="undo", dialog=UNDO)
    def undo_row(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        def call(action: BulkAction) -> None:
            try:
                lifecycle.cancel(action)
            except lifecycle.StateMismatch:
                raise Refused from None

        rows = BulkAction.objects.filter(pk=object_id)
        self.act_on_each(request, rows, call, "undone", "left as it is: it has been carried out")
        return self.back_to_list()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.fields


@admin.register(Attempt)
class AttemptAdmin(HistoryAdmin):
    list_display = (
        *("name", "job_link", "number", "outcome_chip", "error_code", "error_message", "took", "worker", "when"),
    )
    list_display_links = ("name",)
    list_filter = ("outcome", "error_code", "kind")
    list_defer = ("log", "evidence")
    search_fields = ("job_id",)
    search_keys = ("job_id",)
    search_help_text = "A job's id, or how it begins; else a part of a recent one"
    date_hierarchy = "started_at"
    fields = ("job_link", "panel")
    readonly_fields = ("job_link", "panel")
    export_hidden = ("log",)

    @display(description="Attempt")
    def name(self, attempt: Attempt) -> str:
        return f"{attempt.kind} {attempt.job_pk}"

    @display(description="Job")
    def job_link(self, attempt: Attempt) -> SafeString | str:
        try:
            meta = registry.get(attempt.kind).model._meta
        except KeyError:  # of a kind that is no more
            return attempt.job_id
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[attempt.job_pk])
        return format_html('<a class="oven-link" href="{}">{}</a>', url, attempt.job_id)

    @display(description="Outcome", ordering="outcome")
    def outcome_chip(self, attempt: Attempt) -> SafeString:
        return chip(attempt.get_outcome_display(), TONES.get(attempt.outcome))

    @display(description="Started", ordering="started_at")
    def when(self, attempt: Attempt) -> SafeString | str:
        return ago(attempt.started_at)

    @display(description="Took")
    def took(self, attempt: Attempt) -> str:
        return duration(sum(attempt.spans.values()) if attempt.spans else None)

    @display(description=" ")
    def panel(self, attempt: Attempt) -> SafeString:
        return format_html("{}", attempts_panel([attempt]))
