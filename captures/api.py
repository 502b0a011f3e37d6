"""REST of grabs: validate, look up, enqueue, answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from ninja import Router

from captures import control, shapes
from captures.engine.spec import Format
from captures.jobs import Asked, QueueFull, ask, unfreeze
from captures.models import Grab
from captures.placeholder import placeholder
from captures.requests import GrabRequest, flag, parse
from captures.schemas import GET_PARAMETERS, GRAB_RESPONSES, POST_BODY
from oven_site.access.callers import Caller, Refused, caller_of
from oven_site.access.models import Scope
from oven_site.artifacts.stores import redirect_url, stream
from oven_site.contract import error, json_body, not_found
from oven_site.jobs import board, registry
from oven_site.jobs.states import State
from oven_site.jobs.waiting import wait_ended

router = Router(tags=["grabs"])
RUNNING_WAIT_MS = 5000
RETRY_AFTER_S = 30
PLACEHOLDER_FORMATS = {Format.MP4: Format.PNG}
NO_STORE = "no-cache, no-store, must-revalidate"


@router.post("/grab", summary="Grab a piece", openapi_extra={**POST_BODY, **GRAB_RESPONSES})
async def post_grab(request: HttpRequest) -> HttpResponseBase:
    caller = await caller_of(request)
    caller.require(Scope.GRAB)
    body = json_body(request)
    wish = parse(body, any_page=caller.may(Scope.GRAB))
    return await _grab(request, caller, wish, body, source=str(body.get("source") or "api"))


@router.get(
    "/grab/{format}/{width}/{height}/{path:piece}",
    summary="Grab a piece, as an image address",
    openapi_extra={**GET_PARAMETERS, **GRAB_RESPONSES},
)
async def get_grab(request: HttpRequest, format: str, width: str, height: str, piece: str) -> HttpResponseBase:
    caller = await caller_of(request)
    fields = {**request.GET.dict(), "format": format, "width": width, "height": height, "piece": piece}
    wish = parse(fields)
    if _raw_segments(request) not in (None, 5):
        return not_found(request)
    if flag(fields, "nowait") and (waiting := await _baking(wish)):
        return waiting
    return await _grab(request, caller, wish, fields, source=str(fields.get("source") or "manual"), by_address=True)


async def _grab(
    request: HttpRequest,
    caller: Caller,
    wish: GrabRequest,
    fields: Mapping[str, Any],
    source: str,
    by_address: bool = False,
) -> HttpResponseBase:
    skip_cache = flag(fields, "skipCache")
    if skip_cache or source == "keep":
        caller.require(Scope.GRAB)
    try:
        asked = await sync_to_async(ask)(
            wish,
            skip_cache=skip_cache,
            source=source,
            keep_id=str(fields.get("keepId") or ""),
            user=caller.user,
        )
    except QueueFull:
        response = error(503, f"The queue is full ({settings.OVEN_QUEUE_CEILING} waiting).")
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response
    return await _answer(request, asked, by_address)


async def _answer(request: HttpRequest, asked: Asked, by_address: bool) -> HttpResponseBase:
    if asked.cached:
        return await _cached(request, asked.grab, by_address)
    grab = await wait_ended(asked.grab, settings.OVEN_WAIT_S)
    if grab is None:
        message = f"The grab is not ready after {settings.OVEN_WAIT_S:g} s; it goes on."
        status_url = f"/status/{asked.grab.public_id}"
        return error(504, message, grabId=asked.grab.public_id, statusUrl=status_url)
    if grab.state != State.COMPLETE:
        code = "cancelled" if grab.state == State.CANCELLED else grab.error_code
        return error(500, grab.error_message or "The grab was cancelled.", grabId=grab.public_id, code=code)
    grab = await Grab.objects.select_related("artifact").aget(pk=grab.pk)
    headers = {"X-Cache": "MISS", "X-Grab-Id": grab.public_id}
    if by_address:
        headers["Cache-Control"] = "public, max-age=3600"
    else:
        headers["X-Grab-Duration"] = str(grab.duration_ms)
    return _bytes(grab, headers)


async def _cached(request: HttpRequest, grab: Grab, by_address: bool) -> HttpResponseBase:
    headers = {"X-Cache": "HIT", "X-Grab-Id": grab.public_id}
    if "Origin" in request.headers:  # scripts of other sites need the bytes: a redirect would lose their rights
        headers["X-Proxy"] = "CDN"
        if by_address:
            headers["Cache-Control"] = "public, max-age=3600"
        return _bytes(grab, headers)
    assert grab.artifact is not None
    location = redirect_url(grab.artifact.store, grab.artifact.key)
    return HttpResponse(status=302, headers={**headers, "Location": location, "Cache-Control": "no-cache"})


def _bytes(grab: Grab, headers: dict[str, str]) -> HttpResponseBase:
    artifact = grab.artifact
    assert artifact is not None
    body = stream(artifact.store, artifact.key)
    headers = {**headers, "Content-Length": str(artifact.bytes), "ETag": f'"{artifact.sha256[:32]}"'}
    return StreamingHttpResponse(body, content_type=artifact.mime, headers=headers)


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
    waiting = [other.pk for other in board.waiting(kind)]
    if grab.pk not in waiting:
        return 0, RUNNING_WAIT_MS
    position = waiting.index(grab.pk) + 1
    return position, board.estimated_wait_ms(position, board.workers(kind), board.mean_duration_ms(kind))


@router.get("/grab-status", summary="Grabs: running, waiting, recent, progress")
async def grab_status(request: HttpRequest) -> JsonResponse:
    return JsonResponse(await sync_to_async(shapes.grab_status)())


@router.post("/grab-cleanup", summary="Recover grabs whose worker has gone")
async def grab_cleanup(request: HttpRequest) -> dict[str, Any]:
    (await caller_of(request)).require(Scope.STEER)
    return {"success": True, **await sync_to_async(control.clean_up)()}


@router.post("/grab-clear", summary="Cancel every waiting and running grab")
async def grab_clear(request: HttpRequest) -> dict[str, Any]:
    (await caller_of(request)).require(Scope.STEER)
    return {"success": True, **await sync_to_async(control.clear)()}


@router.get("/api/frozen", summary="Pieces that do not move")
async def frozen(request: HttpRequest) -> dict[str, Any]:
    return {"frozen": await sync_to_async(shapes.frozen_list)()}


@router.delete("/api/frozen/{path:piece}", summary="Take a piece off the frozen list")
async def delete_frozen(request: HttpRequest, piece: str) -> dict[str, Any]:
    (await caller_of(request)).require(Scope.STEER)
    await sync_to_async(unfreeze)(piece)
    return {"success": True, "piece": piece}


def _raw_segments(request: HttpRequest) -> int | None:
    """Segments of the path as it was sent: a piece is one of them, its own slashes are sent as %2F."""
    raw = getattr(request, "scope", {}).get("raw_path")
    if not raw:
        return None
    path: str = raw.split(b"?")[0].decode("latin-1")
    return len([part for part in path.strip("/").split("/") if unquote(part)])


__all__ = ["Refused", "router"]
