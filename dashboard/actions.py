"""What staff do on the live page. Every view says what permission it needs; every change leaves a line of audit."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from bakes import requests as bake_requests
from bakes import services as bakes
from bundles import requests as bundle_requests
from bundles import services as bundles
from captures import frozen, requests, services
from captures.frozen import Frozen
from captures.models import FrozenPiece
from dashboard import page_state
from dashboard.views import bad_request, frozen_view, refuse
from oven.adminkit.base import audit
from oven.errors import BadRequest
from oven.events.stream import job_view
from oven.http.errors import error
from oven.jobs import admission, bulk, lifecycle, registry
from oven.jobs.filters import Filter
from oven.jobs.models import BulkAction, Job
from oven.jobs.registry import JobKind
from oven.jobs.states import BulkVerb, Lane
from oven.numbers import whole
from pins import services as keeps

View = Callable[..., HttpResponseBase]
Answer = dict[str, Any]


class Forbidden(Exception):
    """The person lacks a permission; the text says which."""


def staff(view: View) -> View:
    """Signed-in members of staff only; what a view raises becomes an answer."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user: Any = request.user
        if not (user.is_active and user.is_staff):
            return refuse(request, "Only staff may do this.")
        try:
            return view(request, *args, **kwargs)
        except Forbidden as forbidden:
            return error(403, str(forbidden))
        except BadRequest as bad:
            return bad_request(bad)
        except lifecycle.StateMismatch:
            return error(409, "It has ended, or started, in the meantime.")
        except admission.NotAdmitted as refused:
            return error(refused.status, refused.message)
        except Frozen as refused:
            return error(409, f"{refused.message} Capture it without the cache, or unfreeze it.")

    return guarded


def need(request: HttpRequest, permission: str) -> None:
    """Raises Forbidden."""
    user: Any = request.user
    if not user.has_perm(permission):
        raise Forbidden(f"Your account lacks the permission '{permission}'.")


def need_kind(request: HttpRequest, verb: str, kind: JobKind) -> None:
    meta = kind.model._meta
    need(request, f"{meta.app_label}.{verb}_{meta.model_name}")


# --- starting -------------------------------------------------------------------------------------------------------


@require_POST
@staff
def start(request: HttpRequest, kind: str) -> JsonResponse:
    """Starts a job from the page's form; answers with it at once."""
    if kind not in _STARTS:
        raise BadRequest("kind", f"kind: one of {', '.join(_STARTS)} is needed.", list(_STARTS))
    need_kind(request, "add", registry.get(kind))
    answer = _STARTS[kind](request)
    audit(request, [answer["row"]], "started on the live page")
    return _started(**answer)


def _started(row: Job, cached: bool = False, joined: bool = False) -> JsonResponse:
    return JsonResponse({"job": job_view(row), "cached": cached, "joined": joined})


def _start_grab(request: HttpRequest) -> Answer:
    wish = requests.parse(request.POST.dict(), any_page=True)
    asked = services.ask(wish, skip_cache=requests.flag(request.POST, "skipCache"), source="live", user=request.user)
    return {"row": asked.grab, "cached": asked.cached, "joined": asked.joined}


def _start_bake(request: HttpRequest) -> Answer:
    """What only the site cares for may be left out: it is filled in."""
    code = request.POST.get("code", "")
    given = {name: value for name, value in request.POST.items() if value}
    callback = f"{settings.OVEN_PIECE_ORIGIN}/api/oven-complete"
    raw = {"slug": code, "mongoId": "staff", "callbackUrl": callback, **given}
    return {"row": bakes.ask(bake_requests.parse(raw), source="live", user=request.user)}


def _start_bundle(request: HttpRequest) -> Answer:
    if not bundle_requests.named(request.POST):
        raise BadRequest("piece", "piece: a piece's name, or the code of a program, is needed.")
    wish = bundle_requests.parse(_named(request.POST.dict()))
    skip = requests.flag(request.POST, "skipCache")
    asked = bundles.ask(wish, skip_cache=skip, source="live", user=request.user)
    return {"row": asked.bundle, "cached": asked.cached}


def _named(raw: dict[str, Any]) -> dict[str, Any]:
    """One field takes both: a name that starts with a dollar is a program's code."""
    piece = str(raw.get("piece", ""))
    return {**raw, "piece": "", "code": piece} if piece.startswith("$") else raw


def _start_core(request: HttpRequest) -> Answer:
    return {"row": bundles.build_core(source="live", user=request.user)}


_STARTS: dict[str, Callable[[HttpRequest], Answer]] = {
    "grab": _start_grab,
    "bake": _start_bake,
    "bundle": _start_bundle,
    "core": _start_core,
}


# --- one job --------------------------------------------------------------------------------------------------------


@require_POST
@staff
def act(request: HttpRequest, public_id: str, action: str) -> JsonResponse:
    """`cancel`, `again` (with skipCache), `pin`, `front` or `lane` (with lane) on one job."""
    if action not in _ACTS:
        raise BadRequest("action", f"action: one of {', '.join(_ACTS)} is needed.", list(_ACTS))
    job = registry.find(public_id)
    if job is None:
        return error(404, "There is no such job.")
    verb, call, note = _ACTS[action]
    need_kind(request, verb, registry.get(job.kind))
    answer = call(job, request)
    audit(request, [job], note)
    return _started(**answer)


def _again(job: Job, request: HttpRequest) -> Answer:
    if not registry.get(job.kind).can_requeue:
        raise BadRequest("action", f"action: a {job.kind} cannot be requeued.")
    rows = type(job)._default_manager.filter(pk=job.pk)
    found: Any = bulk.requeue(rows, user=request.user, skip_cache=requests.flag(request.POST, "skipCache")).job
    cached = not found.active
    return {"row": found, "cached": cached, "joined": not cached and found.requeued_from_id != job.pk}


def _pin(job: Job, request: HttpRequest) -> Answer:
    need(request, "captures.add_pin")
    return {"row": keeps.pin(job, user=request.user)}


def _cancel(job: Job, request: HttpRequest) -> Answer:
    return {"row": lifecycle.cancel(job)}


def _front(job: Job, request: HttpRequest) -> Answer:
    return {"row": lifecycle.to_front(job)}


def _lane(job: Job, request: HttpRequest) -> Answer:
    return {"row": lifecycle.move(job, lane_of(request))}


def lane_of(request: HttpRequest) -> Lane:
    try:
        return Lane(request.POST.get("lane", ""))
    except ValueError:
        raise BadRequest("lane", f"lane: one of {', '.join(Lane.values)} is needed.", Lane.values) from None


_ACTS: dict[str, tuple[str, Callable[[Job, HttpRequest], Answer], str]] = {
    "cancel": ("change", _cancel, "cancelled on the live page"),
    "again": ("add", _again, "requeued on the live page"),
    "pin": ("view", _pin, "pinned to IPFS from the live page"),
    "front": ("change", _front, "moved to the front of its lane"),
    "lane": ("change", _lane, "moved to another lane"),
}


# --- the frozen list ------------------------------------------------------------------------------------------------


@require_POST
@staff
def freeze(request: HttpRequest) -> JsonResponse:
    need(request, "captures.add_frozenpiece")
    piece = requests.check_piece(request.POST.get("piece"))
    entry = frozen.freeze(piece, request.POST.get("reason", "").strip()[:200], request.user)
    audit(request, [entry], "frozen on the live page")
    return JsonResponse({"frozen": frozen_view(entry)})


@require_POST
@staff
def unfreeze(request: HttpRequest) -> JsonResponse:
    need(request, "captures.delete_frozenpiece")
    entry = FrozenPiece.objects.filter(piece=request.POST.get("piece", "")).first()
    if entry is None:
        return error(404, "This piece is not on the list.", field="piece")
    audit(request, [entry], "unfrozen on the live page")
    frozen.unfreeze(entry.piece)
    return JsonResponse({"piece": entry.piece})


# --- many at once ---------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
@staff
def bulk_action(request: HttpRequest) -> JsonResponse:
    """GET counts what an action would be about; POST starts it, with `expect`, the count that was confirmed."""
    raw = request.POST if request.method == "POST" else request.GET
    verb = bulk.verb_of(raw.get("action", ""))
    targets = _targets(request, verb, raw)
    found = bulk.count(targets)
    if request.method == "GET":
        return JsonResponse({"action": verb, "count": found, "text": bulk.text(verb, targets)})
    expected = _expected(raw)
    if not found or found > expected:
        return error(409, f"It would be {found:,} by now, not {expected:,}: look again.", count=found)
    return _start_bulk(request, verb, targets)


def _expected(raw: Any) -> int:
    expected = whole(str(raw.get("expect", "")))
    if expected is None:
        raise BadRequest("expect", "expect: the number that was confirmed is needed.")
    return expected


def _start_bulk(request: HttpRequest, verb: BulkVerb, targets: bulk.Targets) -> JsonResponse:
    lane = lane_of(request) if verb == BulkVerb.LANE else ""
    skip = requests.flag(request.POST, "skipCache")
    action = bulk.start(verb, targets, user=request.user, lane=lane, skip_cache=skip)
    audit(request, [action], action.spec["text"])
    return JsonResponse({"bulk": bulk.view(action)})


def _targets(request: HttpRequest, verb: BulkVerb, raw: Any) -> bulk.Targets:
    wanted = Filter.parse(raw)
    if verb == BulkVerb.UNFREEZE:
        need(request, "captures.delete_frozenpiece")
        entries = FrozenPiece.objects.filter(piece__icontains=wanted.piece).order_by("piece")
        return bulk.within_limit({"frozen": list(entries.values_list("piece", flat=True))})
    right = "add" if verb == BulkVerb.AGAIN else "change"
    allowed = [kind for kind in wanted.kinds() if page_state.may(request.user, right, kind)]
    if not allowed:
        raise Forbidden("Your account may not act on these jobs.")
    ids = [text for text in str(raw.get("ids", "")).split(",") if text]
    return bulk.find(verb, wanted, ids, lambda kind: kind in allowed)


@require_POST
@staff
def undo(request: HttpRequest, public_id: str) -> JsonResponse:
    """Takes a bulk action back, all of it, while its window is open; afterwards what is not done yet."""
    action = BulkAction.objects.filter(public_id=public_id).select_related("requested_by").first()
    if action is None:
        return error(404, "There is no such action.")
    _may_undo(request, action)
    lifecycle.cancel(action)
    audit(request, [action], f"undone: {action.spec['text']}")
    return JsonResponse({"bulk": bulk.view(action)})


def _may_undo(request: HttpRequest, action: BulkAction) -> None:
    """Whoever might have asked for it."""
    if action.action == BulkVerb.UNFREEZE:
        need(request, "captures.delete_frozenpiece")
        return
    for name in action.targets:
        need_kind(request, "add" if action.action == BulkVerb.AGAIN else "change", registry.get(name))


@require_GET
@staff
def bulk_state(request: HttpRequest, public_id: str) -> JsonResponse:
    action = BulkAction.objects.filter(public_id=public_id).select_related("requested_by").first()
    return JsonResponse({"bulk": bulk.view(action)}) if action else error(404, "There is no such action.")
