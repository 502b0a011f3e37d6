"""REST of the store screenshots: one picture, all of them as JSON, all of them in a ZIP."""

from __future__ import annotations

from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from ninja import Path, Router

from captures import responses
from captures.frozen import Frozen
from captures.frozen import answer as frozen_answer
from captures.icons.api import cached, shared_ask, shared_wait
from captures.models import ScreenshotPreset
from captures.params import PictureName, PieceName
from captures.requests import check_piece
from captures.screenshots import requests
from captures.screenshots.archive import Archive, Shot
from captures.screenshots.requests import ShotQuery
from captures.services import Asked, ask
from oven.accounts.callers import ANONYMOUS, caller_of
from oven.accounts.models import Scope
from oven.http.compat import raw_segments
from oven.http.errors import error, not_found
from oven.http.fields import Schema
from oven.http.openapi import Answer, answers
from oven.http.params import Query
from oven.jobs.states import Lane
from oven.jobs.waiters import waiting_for

router = Router(tags=["store screenshots"])
HIT_MAX_AGE = 604_800
FRESH = {"X-Cache": "MISS", "Cache-Control": "public, max-age=86400"}
FORCED = {"X-Cache": "REGENERATED", "Cache-Control": "no-store, no-cache, must-revalidate"}
SOURCE = "app-screenshot"
Preset = Annotated[
    str, Path(..., description="A preset's name, as on /app-screenshots.", examples=["phone-portrait"])
]


class Ticket(Schema):
    job_id: str
    status_url: str


@router.get("/app-screenshots/download/{path:piece}", summary="All of a piece's store screenshots, as a ZIP")
async def download(request: HttpRequest, piece: PieceName) -> HttpResponseBase:
    if piece.lower().endswith(".png"):  # a picture of the preset "download", which is not likely to be there
        return await _screenshot(request, "download", piece, ShotQuery.read(request.GET.dict()))
    if raw_segments(request) not in (None, 3):
        return not_found(request)
    piece = check_piece(piece)
    try:
        shots = await sync_to_async(_ask_all)(piece)
    except Frozen as frozen:
        return error(409, frozen.message, code="frozen")
    name = f"{requests.file_name(piece)}-app-screenshots.zip"
    headers = {"Content-Disposition": content_disposition_header(True, name) or "", "Cache-Control": "no-store"}
    headers["X-Accel-Buffering"] = "no"
    return StreamingHttpResponse(Archive(piece, shots), content_type="application/zip", headers=headers)


def _ask_all(piece: str) -> list[Shot]:
    """Behind those who wait for a single picture."""
    found = []
    for preset in requests.presets():
        asked = ask(requests.wish_of(preset, piece), source=SOURCE, lane=Lane.BATCH)
        found.append(Shot(preset, asked.grab, asked.cached))
    return found


@router.get(
    "/app-screenshots/{preset}/{path:piece}",
    summary="A store screenshot: PIECE.png",
    **answers({**responses.PICTURE_ANSWERS, 202: Answer("With `nowait`: the job.", Ticket)}),
)
async def screenshot(
    request: HttpRequest, preset: Preset, piece: PictureName, query: Query[ShotQuery]
) -> HttpResponseBase:
    return await _screenshot(request, preset, piece, query.checked())


async def _screenshot(request: HttpRequest, preset: str, piece: str, query: ShotQuery) -> HttpResponseBase:
    name, dot, ending = piece.rpartition(".")
    if (dot, ending.lower()) != (".", "png") or raw_segments(request) not in (None, 3):
        return not_found(request)
    caller = await caller_of(request) if query.force else ANONYMOUS
    if query.force:
        caller.require(Scope.GRAB)
    found = await sync_to_async(requests.preset_named)(preset)
    wish = requests.wish_of(found, name)
    try:
        if query.force:
            asked = await sync_to_async(ask)(wish, skip_cache=True, source=SOURCE, user=caller.user)
        else:
            asked = await shared_ask(wish, source=SOURCE)
    except Frozen as frozen:
        return await frozen_answer(frozen)
    if query.nowait:
        return _ticket(asked)
    headers = {**(FORCED if query.force else FRESH), **_facts(found)}
    if query.download:
        headers |= _attachment(found, name)
    async with waiting_for(asked.grab):
        return await _answer(request, asked, headers)


async def _answer(request: HttpRequest, asked: Asked, headers: dict[str, str]) -> HttpResponseBase:
    if asked.cached and "Content-Disposition" not in headers:
        return cached(request, asked.grab, HIT_MAX_AGE)
    grab = asked.grab if asked.cached else await shared_wait(asked.grab)
    if isinstance(grab, JsonResponse):
        return responses.copy(grab)
    assert grab.artifact is not None
    cache = "HIT" if asked.cached else headers["X-Cache"]
    return responses.body(request, grab.artifact, {**headers, **responses.grab_headers(grab, cache)})


def _ticket(asked: Asked) -> JsonResponse:
    """For pages that ask again by themselves: the job, not its picture."""
    names = {"jobId": asked.grab.public_id, "statusUrl": f"/status/{asked.grab.public_id}"}
    return JsonResponse(names, status=200 if asked.cached else 202)


def _facts(preset: ScreenshotPreset) -> dict[str, str]:
    return {"X-Screenshot-Preset": preset.name, "X-Screenshot-Dimensions": f"{preset.width}x{preset.height}"}


def _attachment(preset: ScreenshotPreset, piece: str) -> dict[str, str]:
    """For a browser that is to save it: the bytes come from here, under a good name."""
    name = f"{requests.file_name(piece)}-{preset.name}.png"
    return {"Content-Disposition": content_disposition_header(True, name) or ""}


@router.get(
    "/api/app-screenshots/{path:piece}", summary="A piece's store screenshots: addresses, and how far each is"
)
async def overview(request: HttpRequest, piece: PieceName) -> dict[str, Any]:
    return await sync_to_async(requests.overview)(check_piece(piece))
