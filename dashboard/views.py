"""What staff read: the live page, its state, its history. `acting` has what they do."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET
from sesame.utils import get_user

from captures.models import FrozenPiece
from dashboard import page_state, runbook
from oven.accounts import login_attempts
from oven.accounts.roles import is_watcher
from oven.errors import BadRequest
from oven.events import progress, snapshot
from oven.events.stream import epoch_ms, job_view
from oven.http.errors import error
from oven.jobs import filters
from oven.ops.health import charts as history
from oven.ops.health import system_status as health

View = Callable[..., HttpResponseBase]
FROZEN = 200


@require_GET
def sign_in(request: HttpRequest) -> HttpResponse:
    """The one-time link: signs in once, then leads to the live page."""
    if refused := login_attempts.way_refused(request):
        return refused
    user: Any = get_user(request)
    if user is None:
        login_attempts.way_failed(request)
        return render(request, "oven/link_used.html", status=403)
    login(request, user)
    return HttpResponseRedirect(reverse("live"))


def watched(view: View) -> View:
    """For whoever may watch: others are sent to sign in, or told that they may not. Bad input is a 400."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_watcher(request.user) and not settings.OVEN_PUBLIC_LIVE:
            return refuse(request, "Your account may not see this.")
        try:
            return view(request, *args, **kwargs)
        except BadRequest as bad:
            return bad_request(bad)

    return guarded


def refuse(request: HttpRequest, message: str) -> HttpResponseBase:
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    if request.path == reverse("live"):
        return render(request, "oven/no_entry.html", status=403)
    return error(403, message)


def bad_request(bad: BadRequest) -> JsonResponse:
    more = {} if bad.valid is None else {"valid": bad.valid}
    return error(400, bad.message, field=bad.field, **more)


@require_GET
@ensure_csrf_cookie
@watched
def live(request: HttpRequest) -> HttpResponse:
    context = {"boot": page_state.boot(request.user), "version": settings.VERSION, "passkeys": settings.OVEN_PASSKEYS}
    return render(request, "oven/live.html", context)


@require_GET
@watched
def state(request: HttpRequest) -> HttpResponse:
    """Made once for all who ask at the same time: after a restart every open page does."""
    return HttpResponse(snapshot.page(public=not is_watcher(request.user)), content_type="application/json")


@require_GET
@watched
def done(request: HttpRequest) -> JsonResponse:
    """A page of ended jobs that the filter finds."""
    found = filters.ended(filters.Filter.parse(request.GET), request.GET.get("before", ""))
    jobs = [dict(job_view(job)) for job in found.jobs]
    return JsonResponse({"jobs": jobs, "next": found.after or None, "found": found.found, "capped": found.capped})


@require_GET
@watched
def vitals(request: HttpRequest) -> JsonResponse:
    return JsonResponse(health.current())


@require_GET
@watched
def alerts(request: HttpRequest) -> HttpResponse:
    """Show the alerts there are, and what each one means."""
    links = runbook.links(request.user)
    current = [(alert, links.get(alert["code"], [])) for alert in health.current()["alerts"]]
    return render(request, "oven/alerts.html", {"current": current, "rows": runbook.rows()})


@require_GET
@watched
def charts(request: HttpRequest) -> JsonResponse:
    """Throughput, queue and run times of the last hour or day."""
    return JsonResponse(history.charts(request.GET.get("span", "hour")))


@require_GET
@watched
def frozen(request: HttpRequest) -> JsonResponse:
    entries = FrozenPiece.objects.select_related("grab").order_by("-last_attempt")
    if piece := request.GET.get("piece", "").strip():
        entries = entries.filter(piece__icontains=piece)
    shown = [frozen_view(entry) for entry in entries[:FROZEN]]
    return JsonResponse({"frozen": shown, "total": entries.count()})


def frozen_view(entry: FrozenPiece) -> dict[str, Any]:
    return {
        "piece": entry.piece,
        "reason": entry.reason,
        "error": entry.error,
        "attempts": entry.attempts,
        "first": epoch_ms(entry.first_detected),
        "last": epoch_ms(entry.last_attempt),
        "poster": entry.preview_url,
        "grab": entry.grab.public_id if entry.grab else "",
    }


@require_GET
@watched
def log(request: HttpRequest) -> HttpResponse:
    """All kept lines of the activity log as a text file, the oldest first."""
    level, job = request.GET.get("level", ""), request.GET.get("job", "")
    lines = [
        f"{entry['time']} {entry['type']:8} {entry['msg']}"
        for entry in reversed(progress.recent_log(progress.LOG_KEPT))
        if (not level or entry["type"] == level) and (not job or entry.get("job") == job)
    ]
    response = HttpResponse("".join(f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="oven-log.txt"'
    return response
