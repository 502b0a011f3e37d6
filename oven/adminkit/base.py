"""What the admin pages of all verbs share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from unfold.admin import ModelAdmin
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.utils import display_for_label

from oven.adminkit import exports, row_cache
from oven.adminkit import queues as queues
from oven.adminkit.audit import EACH as AUDIT_EACH
from oven.adminkit.audit import audit as audit
from oven.adminkit.changelist import CappedPaginator as CappedPaginator
from oven.adminkit.changelist import (
    GlancingPaginator,
    HistoryChangeList,
    InOrder,
    among_keys,
    cheap_filters,
    matching_keys,
    newest_keys,
)
from oven.numbers import whole

T = TypeVar("T")
NBSP = "\N{NO-BREAK SPACE}"
NO_PICTURE = mark_safe('<span class="oven-thumb oven-thumb--none" aria-hidden="true"></span>')  # nosec B308
EXPORTS = ("export_csv", "export_json")
row_cache.once_a_page()


class Exporting(ModelAdmin):
    """Lists whose rows may be taken along, by all who may see them."""

    export_more: tuple[str, ...] = ()  # columns of other tables
    export_hidden: tuple[str, ...] = ()

    @action(description="Export as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponseBase:
        return self._export(rows, "csv")

    @action(description="Export as JSON", permissions=["view"])
    def export_json(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponseBase:
        return self._export(rows, "json")

    def _export(self, rows: QuerySet[Any], form: str) -> HttpResponseBase:
        columns = exports.columns_of(self.model, self.export_hidden) + self.export_more
        return exports.response(rows, columns, form, self.date_hierarchy or "")


@functools.cache
def chip(text: str, tone: str | None) -> SafeString:
    """A word in its colour, as the theme draws labels; it knows few words, and draws each of them once."""
    return SafeString(display_for_label((text, text), "", {text: tone} if tone else {}))  # nosec B703


@functools.cache
def _drawn_checkbox(language: str | None) -> str:
    anything: Any = SimpleNamespace(pk=row_cache.KEY)
    return str(ModelAdmin.action_checkbox(anything, anything))


class HistoryAdmin(Exporting):
    """Rows that only Oven writes: staff read them, and act on them by actions. Fast with a million of them.

    What `search_keys` names is searched by whole values, then by how they start; only when neither finds anything,
    `search_fields` are searched for a part among the newest rows. All of `search_keys` need an index.
    """

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 20  # drawing a row takes longer than finding it
    list_defer: tuple[str, ...] = ()  # heavy fields that the list does not show
    search_keys: tuple[str, ...] = ()
    sortable_by: Any = ("when",)
    compressed_fields = True
    list_filter_sheet = False
    list_sections: tuple[Any, ...] = ()  # a template that looks for what is not there takes its time
    change_list_template = "oven/admin/history_list.html"
    actions: Any = EXPORTS

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return HistoryChangeList

    @display(description=ModelAdmin.action_checkbox.short_description)
    def action_checkbox(self, obj: Any) -> SafeString:
        """The theme's own, drawn once for all rows."""
        return mark_safe(_drawn_checkbox(get_language()).replace(row_cache.KEY, str(obj.pk)))  # nosec B308 B703

    def get_ordering(self, request: HttpRequest) -> Any:
        return self.ordering or ((f"-{self.date_hierarchy}", "-pk") if self.date_hierarchy else ("-pk",))

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return cheap_filters(self.model, super().get_list_filter(request))

    def get_paginator(self, request: HttpRequest, queryset: Any, per_page: int, *args: Any, **kwargs: Any) -> Any:
        if not getattr(request, "oven_glance", False):
            ceiling, known = getattr(request, "oven_ceiling", None), getattr(request, "oven_found", None)
            return CappedPaginator(queryset, per_page, *args, ceiling=ceiling, known=known, **kwargs)
        page = whole(request.GET.get("p", ""), 9)
        return GlancingPaginator(queryset, per_page, page=1 if page is None else page)

    def get_search_results(self, request: HttpRequest, rows: Any, text: str) -> tuple[Any, bool]:
        text = text.strip()
        if not text:
            return rows, False
        found = self.search(rows, text)
        if found is None:  # very many: read in the list's order, which soon fills a page
            request.oven_glance = True  # type: ignore[attr-defined]
            found = self.search_in_order(rows, text)
        request.oven_found = getattr(found, "oven_found", None)  # type: ignore[attr-defined]
        return found, False

    def search(self, rows: QuerySet[Any], text: str) -> QuerySet[Any] | None:
        """None when so many rows match that they are better read than looked up."""
        keys = matching_keys(self.model, self.search_keys, text)
        if keys is None:
            return None
        return among_keys(rows, keys or newest_keys(self.model, self.search_fields, text))

    def search_in_order(self, rows: QuerySet[Any], text: str) -> QuerySet[Any]:
        names = {f"searched_{number}": InOrder(name) for number, name in enumerate(self.search_keys)}
        wanted = Q(*(Q(**{f"{name}__startswith": text}) for name in names), _connector=Q.OR)
        found: QuerySet[Any] = rows.alias(**names).filter(wanted)
        return found

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
        named: list[Any] = []  # no more than the audit names: there may be a million
        good = bad = 0
        for row in rows:
            try:
                call(row)
            except ValueError:
                bad += 1
            else:
                good += 1
                named += [row] if good <= AUDIT_EACH else []
        audit(request, named, done, good)
        if good:
            kind = self.opts.verbose_name_plural if good > 1 else self.opts.verbose_name
            messages.success(request, f"{good} {kind} {done}.")
        if bad:
            messages.warning(request, f"{bad} {refused}.")

    def back_to_list(self) -> HttpResponse:
        """After a dialog: the browser leaves for the list, where the message shows."""
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return HttpResponse(headers={"HX-Redirect": url})


def once(panel: Callable[[Any, Any], T]) -> Callable[[Any, Any], T]:
    """For what a row's page shows: the theme asks for it several times, the database should be asked once."""

    @functools.wraps(panel)
    def kept(page: Any, row: Any) -> T:
        name = f"_{panel.__name__}_panel"
        if name not in row.__dict__:
            row.__dict__[name] = panel(page, row)
        found: T = row.__dict__[name]
        return found

    return kept


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
    exact = timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, naturaltime(moment))


def duration(ms: int | None) -> str:
    if ms is None:
        return "–"
    return f"{ms}{NBSP}ms" if ms < 1000 else f"{ms / 1000:.1f}{NBSP}s"


def size(count: int | None) -> str:
    if count is None:
        return "–"
    return f"{count / 1024:.0f}{NBSP}kB" if count < 1 << 20 else f"{count / (1 << 20):.1f}{NBSP}MB"


def changelist_link(model: type[Model], text: str, **query: Any) -> SafeString:
    """To a model's list, searched or filtered."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=query)
    return format_html('<a class="oven-link" href="{}">{}</a>', url, text)


def model_link(row: Model | None, text: str = "") -> SafeString | str:
    if row is None:
        return "–"
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_change"
    return format_html('<a class="oven-link" href="{}">{}</a>', reverse(name, args=[row.pk]), text or str(row))
