"""What the admin pages of all verbs share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from unfold.admin import ModelAdmin
from unfold.dataclasses import ActionDialog
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from oven_site.jobs.states import Lane, State

CHIPS = {state: state.color for state in State}
LANE_CHIPS = {lane: lane.color for lane in Lane}
COUNT_CEILING = 100_000
NBSP = "\N{NO-BREAK SPACE}"
NO_PICTURE = mark_safe('<span class="oven-thumb oven-thumb--none" aria-hidden="true"></span>')
AUDIT_EACH = 200  # above this many objects one line says it for all


class CappedPaginator(Paginator):
    """Counts no further than a ceiling: a list of a million rows opens as fast as one of a thousand."""

    @cached_property
    def count(self) -> int:
        if isinstance(self.object_list, QuerySet):
            return self.object_list.order_by()[:COUNT_CEILING].count()
        return len(self.object_list)


class HistoryAdmin(ModelAdmin):
    """Rows that only Oven writes: staff read them, and act on them by actions."""

    paginator = CappedPaginator
    show_full_result_count = False
    list_per_page = 50
    compressed_fields = True
    list_filter_sheet = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_steer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """May act on rows: Django's own change permission of the model."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    def act_on_each(
        self, request: HttpRequest, rows: Iterable[Any], call: Callable[[Any], object], done: str, refused: str
    ) -> None:
        """Calls `call` for every row; its ValueError counts as refused. Says and audits what happened."""
        good: list[Any] = []
        bad = 0
        for row in rows:
            try:
                call(row)
            except ValueError:
                bad += 1
            else:
                good.append(row)
        audit(request, good, done)
        if good:
            messages.success(
                request,
                f"{len(good)} {self.opts.verbose_name_plural if len(good) > 1 else self.opts.verbose_name} {done}.",
            )
        if bad:
            messages.warning(request, f"{bad} {refused}.")

    def back_to_list(self) -> HttpResponse:
        """After a dialog: the browser leaves for the list, where the message shows."""
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return HttpResponse(headers={"HX-Redirect": url})


def audit(request: HttpRequest, rows: list[Any], what: str) -> None:
    """Who did what to which rows."""
    if not rows or request.user.pk is None:
        return
    named = rows if len(rows) <= AUDIT_EACH else rows[:1]
    note = what if len(rows) == len(named) else f"{what} (one of {len(rows)} at once)"
    LogEntry.objects.log_actions(request.user.pk, named, CHANGE, change_message=note)


def dialog(title: str, description: str, submit: str) -> ActionDialog:
    return ActionDialog(title=title, description=description, form_class=None, form_submit_text=submit)


def picture(poster: str, playing: str, mime: str, alt: str, large: bool = False) -> SafeString:
    """A still that plays while pointed at (see admin.js)."""
    if not poster:
        return NO_PICTURE
    size = "oven-thumb--large" if large else ""
    return format_html(
        '<img class="oven-thumb {}" src="{}" data-play="{}" data-mime="{}" alt="{}" loading="lazy" tabindex="0">',
        size,
        poster,
        playing,
        mime,
        alt,
    )


def ago(moment: datetime | None) -> SafeString | str:
    """How long ago, with the exact time on hover."""
    if moment is None:
        return "–"
    exact = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, naturaltime(moment))


def duration(ms: int | None) -> str:
    if ms is None:
        return "–"
    return f"{ms}{NBSP}ms" if ms < 1000 else f"{ms / 1000:.1f}{NBSP}s"


def size(count: int | None) -> str:
    if count is None:
        return "–"
    return f"{count / 1024:.0f}{NBSP}kB" if count < 1 << 20 else f"{count / (1 << 20):.1f}{NBSP}MB"


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(BaseUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(BaseGroupAdmin, ModelAdmin):
    pass


def model_link(row: Model | None, text: str = "") -> SafeString | str:
    if row is None:
        return "–"
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return format_html('<a class="oven-link" href="{}">{}</a>', reverse(name, args=[row.pk]), text or str(row))
