"""REST of grabs: validate, look up, enqueue, answer."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from ninja import Router

from captures import cached, control, responses, serializers
from captures.cached import CachedGrab
from captures.engine.spec import Format
from captures.frozen import Frozen, unfreeze
from captures.frozen import answer as frozen_answer
from captures.models import FrozenPiece, Grab
from captures.params import PieceName
from captures.placeholder import placeholder
from captures.requests import (
    GetHandling,
    GrabAddress,
    GrabBody,
    GrabQuery,
    GrabRequest,
    Handling,
    PostHandling,
    dear,
    parse,
)
from captures.services import Asked, ask
from oven.accounts import signatures
from oven.accounts.callers import ANONYMOUS, Caller, Refused, caller_of
from oven.accounts.models import Scope
from oven.adminkit.audit import audited
from oven.events import snapshot
from oven.http.compat import raw_segments
from oven.http.errors import error, not_found
from oven.http.openapi import answers
from oven.http.params import Body, Path, Query
from oven.jobs import queries, registry
from oven.jobs.waiters import waiting_for

router = Router(tags=["grabs"])
RUNNING_WAIT_MS = 5000
PLACEHOLDER_FORMATS = {Format.MP4: Format.PNG}
NO_STORE = "no-cache, no-store, must-revalidate"


@router.post("/grab", summary="Grab a piece", **answers(responses.GRAB_ANSWERS, token=True))
async def post_grab(request: HttpRequest, body: Body[GrabBody]) -> HttpResponseBase:
    caller = await caller_of(request)
    caller.require(Scope.GRAB)
    raw = body.raw()
    wish = parse(raw, any_page=caller.may(Scope.GRAB), several=True)
    return await _grab(request, caller, wish, PostHandling.read(raw))


@router.get(
    "/grab/{format}/{width}/{height}/{path:piece}",
    summary="Grab a piece, as an image address",
    **answers(responses.GRAB_ANSWERS),
)
async def get_grab(request: HttpRequest, path: Path[GrabAddress], query: Query[GrabQuery]) -> HttpResponseBase:
    caller = await caller_of(request)
    raw = {**query.raw(), **path.raw()}
    wish = parse(raw)
    if raw_segments(request) not in (None, 5):
        return not_found(request)
    if caller is ANONYMOUS:
        signatures.check(request.get_full_path_info(), dear(wish))
    handling = GetHandling.read(raw)
    if handling.nowait and (waiting := await _baking(wish)):
        return waiting
    return await _grab(request, caller, wish, handling, by_address=True)


async def _grab(
    request: HttpRequest,
    caller: Caller,
    wish: GrabRequest,
    handling: Handling,
    by_address: bool = False,
) -> HttpResponseBase:
    if handling.skip_cache or handling.source == "keep":
        caller.require(Scope.GRAB)
    elif not wish.formats and (found := await cached.find(wish.capture_key)):
        return _cached(request, found, by_address)
    try:
        asked = await sync_to_async(ask)(
            wish,
            skip_cache=handling.skip_cache,
            source=handling.source,
            keep_id=handling.keep_id,
            user=caller.user,
        )
    except Frozen as frozen:
        if wish.formats:
            return error(409, f"{frozen.message} Ask for one format to get its still.", code="frozen")
        return await frozen_answer(frozen)
    async with waiting_for(asked.grab):
        return await (_several(asked) if wish.formats else _answer(request, asked, by_address))


async def _answer(request: HttpRequest, asked: Asked, by_address: bool) -> HttpResponseBase:
    if asked.cached:
        return _cached(request, asked.grab, by_address)
    grab = await responses.settled(asked.grab)
    if isinstance(grab, JsonResponse):
        return grab
    headers = responses.grab_headers(grab, "MISS")
    if by_address:
        headers["Cache-Control"] = "public, max-age=3600"
    else:
        headers["X-Grab-Duration"] = str(grab.duration_ms)
    return _bytes(request, grab, headers)


def _cached(request: HttpRequest, grab: Grab | CachedGrab, by_address: bool) -> HttpResponseBase:
    headers = responses.grab_headers(grab, "HIT")
    if "Origin" in request.headers:  # scripts of other sites need the bytes: a redirect would lose their rights
        headers["X-Proxy"] = "CDN"
        if by_address:
            headers["Cache-Control"] = "public, max-age=3600"
        return _bytes(request, grab, headers)
    assert grab.artifact is not None
    return responses.elsewhere(request, grab.artifact, {**headers, "Cache-Control": "no-cache"})


def _bytes(request: HttpRequest, grab: Grab | CachedGrab, headers: dict[str, str]) -> HttpResponseBase:
    assert grab.artifact is not None
    return responses.body(request, grab.artifact, headers)


async def _several(asked: Asked) -> HttpResponseBase:
    """Where each file of one load lies."""
    grab = asked.grab if asked.cached else await responses.settled(asked.grab)
    if isinstance(grab, JsonResponse):
        return grab
    outputs = await sync_to_async(serializers.outputs)(grab)
    headers = responses.grab_headers(grab, "HIT" if asked.cached else "MISS")
    warnings = {"warnings": grab.warnings} if grab.warnings else {}
    return JsonResponse({"grabId": grab.public_id, "outputs": outputs, **warnings}, headers=headers)


async def _baking(wish: GrabRequest) -> HttpResponse | None:
    """A stand-in picture while the same capture is waiting or running; None when there is none."""
    grab = await sync_to_async(Grab.objects.active_with)(wish.capture_key)
    if grab is None or await sync_to_async(Grab.objects.cached)(wish.capture_key):
        return None
    position, wait_ms = await sync_to_async(_place)(grab)
    format_ = PLACEHOLDER_FORMATS.get(wish.format, wish.format)
    width, height = wish.to_spec().pixel_size
    data = await sync_to_async(placeholder)(format_, width, height, wish.piece, position, wait_ms)
    headers = {
        "Cache-Control": NO_STORE,
        "X-Oven-Status": "baking",
        "X-Queue-Position": str(position),
        "X-Estimated-Wait": str(wait_ms),
        "X-Grab-Id": grab.public_id,
    }
    return HttpResponse(data, content_type=format_.mime, headers=headers)


def _place(grab: Grab) -> tuple[int, int]:
    """Position in the queue (0 while running) and the estimated wait in ms."""
    kind = registry.get("grab")
    waiting = [other.pk for other in queries.waiting(kind)]
    if grab.pk not in waiting:
        return 0, RUNNING_WAIT_MS
    position = waiting.index(grab.pk) + 1
    return position, queries.estimated_wait_ms(position, queries.workers(kind), queries.mean_duration_ms(kind))


@router.get("/grab-status", summary="Grabs: running, waiting, recent, progress")
async def grab_status(request: HttpRequest) -> HttpResponse:
    body = await sync_to_async(snapshot.shared_json)("grab-status", serializers.grab_status)
    return HttpResponse(body, content_type="application/json")


@router.post("/grab-cleanup", summary="Recover grabs whose worker has gone")
async def grab_cleanup(request: HttpRequest) -> dict[str, Any]:
    caller = await caller_of(request)
    caller.require(Scope.STEER)
    found = await sync_to_async(control.clean_up)()
    await audited(caller, Grab, "recovered by the API", found["cleaned"])
    return {"success": True, **found}


@router.post("/grab-clear", summary="Cancel every waiting and running grab")
async def grab_clear(request: HttpRequest) -> dict[str, Any]:
    caller = await caller_of(request)
    caller.require(Scope.STEER)
    found = await sync_to_async(control.clear)()
    await audited(caller, Grab, "cancelled by the API", sum(found.values()))
    return {"success": True, **found}


@router.get("/api/frozen", summary="Pieces that do not move")
async def frozen(request: HttpRequest) -> dict[str, Any]:
    return {"frozen": await sync_to_async(serializers.frozen_list)()}


@router.delete("/api/frozen/{path:piece}", summary="Take a piece off the frozen list")
async def delete_frozen(request: HttpRequest, piece: PieceName) -> dict[str, Any]:
    caller = await caller_of(request)
    caller.require(Scope.STEER)
    if await sync_to_async(unfreeze)(piece):
        await audited(caller, FrozenPiece, f"unfrozen by the API: {piece}")
    return {"success": True, "piece": piece}


__all__ = ["Refused", "router"]
