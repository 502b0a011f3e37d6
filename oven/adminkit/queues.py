"""RQ's own pages of queues, messages and workers: for superusers only, and audited."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern
from django_rq.admin import QueueAdmin
from django_rq.models import Dashboard
from django_rq.settings import get_queues_list

from oven.adminkit.audit import audit_action

View = Callable[..., HttpResponseBase]
MOST_NAMED = 20  # messages named in one row of the audit


@admin.register(Dashboard)
class QueuesAdmin(QueueAdmin):
    """The library lets in all staff and leaves no trace; here a superuser is needed, and every POST is a row."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()
        for url in urls:
            url.callback = self._guarded(url.callback)
        return urls

    def _guarded(self, view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_superuser:
                raise PermissionDenied
            if request.method == "POST":
                audit_action(request.user, Dashboard, _described(request, kwargs))
            return view(request, *args, **kwargs)

        found: View = self.admin_site.admin_view(guarded)  # whoever is no staff is sent to sign in
        return found


def _described(request: HttpRequest, asked: dict[str, Any]) -> str:
    """Return what a POST asks for: the page's name, the queue, the action and the messages."""
    found = request.resolver_match
    page = (found.url_name or "" if found else "").removeprefix("django_rq_")
    queues = get_queues_list()
    queue = next((queue["name"] for queue in queues[asked.get("queue_index", len(queues)) :]), "")
    jobs = [asked.get("job_id", ""), *request.POST.getlist("job_ids"), *request.POST.getlist("_selected_action")]
    named = [job for job in jobs if job]
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    words = [page, queue, request.POST.get("action", ""), ", ".join(named[:MOST_NAMED])]
    return " ".join(word for word in words if word) + more
