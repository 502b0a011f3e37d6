"""The live page for staff: its first state, and what its buttons do."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST
from sesame.utils import get_user

from bakes import jobs as bakes
from bakes.models import Bake
from bundles import jobs as bundles
from bundles.models import Bundle
from captures import jobs, requests
from captures.engine.spec import Format
from captures.models import FrozenPiece, Grab
from oven_site.contract import BadRequest, error
from oven_site.dashboard.pages import page
from oven_site.jobs import board, lifecycle, registry
from oven_site.jobs.models import Job
from oven_site.jobs.states import State
from oven_site.live import progress, snapshot
from oven_site.live.events import job_view

RECENT = 48
WAITING = 100


@require_GET
def sign_in(request: HttpRequest) -> HttpResponse:
    """The one-time link: signs in once, then leads to the live page."""
    user: Any = get_user(request)
    if user is None:
        return render(request, "oven/link_used.html", status=403)
    login(request, user)
    return HttpResponseRedirect(reverse("live"))


@require_GET
@ensure_csrf_cookie
@staff_member_required
def live(request: HttpRequest) -> HttpResponse:
    return page(render(request, "oven/live.html", {"boot": boot(request), "version": settings.VERSION}))


def boot(request: HttpRequest) -> dict[str, Any]:
    """What the page's script is given to start with."""
    pieces = Grab.objects.filter(state=State.COMPLETE).order_by("-id").values_list("piece", flat=True)[:200]
    return {
        "state": current(),
        "pieces": list(dict.fromkeys(pieces))[:40],
        "formats": [f.value for f in Format],
        "limits": {
            "side": requests.SIDE,
            "duration": requests.DURATION_MS,
            "fps": requests.FPS,
            "density": requests.DENSITY,
            "quality": requests.QUALITY,
        },
        "pieceOrigin": settings.OVEN_PIECE_ORIGIN,
        "urls": {
            "state": reverse("live-state"),
            "grab": reverse("live-grab"),
            "act": "/live/job/{id}/{action}",
            "admin": {
                "grab": reverse("admin:captures_grab_changelist"),
                "bake": reverse("admin:bakes_bake_changelist"),
                "bundle": reverse("admin:bundles_bundle_changelist"),
                "core": reverse("admin:bundles_corebuild_changelist"),
            },
            "frozen": reverse("admin:captures_frozenpiece_changelist"),
        },
        "user": str(request.user),
    }


def current() -> dict[str, Any]:
    """Running, waiting and recent jobs of all kinds, the frozen list, the log: everything the page shows."""
    kinds = [kind for kind in registry.kinds() if kind.model.shown]
    workers = {kind.name: board.workers(kind) for kind in kinds}
    running = [job for kind in kinds for job in board.running(kind)]
    queues = {kind.name: board.waiting(kind) for kind in kinds}
    recent = sorted((job for kind in kinds for job in board.recent(kind, RECENT)), key=_ended, reverse=True)
    live: dict[str, Any] = {}
    for kind in kinds:
        live |= progress.read(kind.name, [job.public_id for job in running if job.kind == kind.name])
    return {
        "version": snapshot.version(),
        "uptime": snapshot.uptime_ms(),
        "workers": workers,
        "pools": {kind.pool: workers[kind.name] for kind in kinds},
        "running": [dict(job_view(job)) for job in running],
        "progress": live,
        "waiting": [
            {**job_view(job), "wait": wait}
            for kind in kinds
            for job, wait in _shown_queue(kind, queues[kind.name], workers[kind.name])
        ],
        "waitingCount": sum(map(len, queues.values())),
        "recent": [dict(job_view(job)) for job in recent[:RECENT]],
        "incoming": [tape.code for tape in bakes.incoming()],
        "frozenCount": FrozenPiece.objects.count(),
        "log": progress.recent_log(50),
    }


def _shown_queue(kind: registry.Kind, queue: list[Any], workers: int) -> list[tuple[Any, int]]:
    return list(zip(queue, board.waits(kind, queue, workers), strict=True))[:WAITING]


def _ended(job: Job) -> Any:
    return job.ended_at


@require_GET
@staff_member_required
def state(request: HttpRequest) -> JsonResponse:
    return JsonResponse(current())


@require_POST
@staff_member_required
def start_grab(request: HttpRequest) -> JsonResponse:
    """Starts a grab from the page's form; answers with the job at once."""
    try:
        wish = requests.parse(request.POST.dict(), any_page=True)
        asked = jobs.ask(wish, skip_cache=requests.flag(request.POST, "skipCache"), source="live", user=request.user)
    except BadRequest as bad:
        return error(400, bad.message, field=bad.field)
    except jobs.QueueFull:
        return error(503, f"The queue is full ({settings.OVEN_QUEUE_CEILING} waiting).")
    return JsonResponse({"job": job_view(asked.grab), "cached": asked.cached, "joined": asked.joined})


@require_POST
@staff_member_required
def act(request: HttpRequest, public_id: str, action: str) -> JsonResponse:
    """`cancel` or `again` (with skipCache) on one job."""
    job = registry.find(public_id)
    if job is None:
        return error(404, "There is no such job.")
    try:
        return JsonResponse(_act(job, action, request))
    except lifecycle.StateMismatch:
        return error(409, "The job has ended in the meantime.")
    except BadRequest as bad:
        return error(400, bad.message, field=bad.field)
    except jobs.QueueFull:
        return error(503, "The queue is full.")


def _act(job: Job, action: str, request: HttpRequest) -> dict[str, Any]:
    if action == "cancel":
        return {"job": job_view(lifecycle.cancel(job))}
    if action == "again" and isinstance(job, Grab):
        asked = jobs.ask_again(job, skip_cache=requests.flag(request.POST, "skipCache"), user=request.user)
        return {"job": job_view(asked.grab), "cached": asked.cached, "joined": asked.joined}
    if action == "again" and isinstance(job, Bake):
        return {"job": job_view(bakes.ask_again(job, user=request.user)), "cached": False, "joined": False}
    if action == "again" and isinstance(job, Bundle):
        bundled = bundles.ask_again(job, user=request.user)
        return {"job": job_view(bundled.bundle), "cached": False, "joined": False}
    raise BadRequest("action", "action: only cancel and again are known.")
