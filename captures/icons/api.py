"""REST of icons and previews: pictures of pieces by address, for image tags and crawlers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from ninja import Path, Router

from captures import responses
from captures.cached import CachedGrab, find
from captures.frozen import Frozen
from captures.frozen import answer as frozen_answer
from captures.icons.requests import ICONS, PREVIEWS, Family, IconQuery, split, wish_of
from captures.models import Grab
from captures.params import PictureName, Size
from captures.requests import GrabRequest
from captures.services import Asked, ask
from oven.accounts.throttles import payer
from oven.http.compat import raw_segments
from oven.http.errors import not_found
from oven.http.openapi import answers
from oven.http.params import Query
from oven.jobs.waiters import waiting_for
from oven.single_flight import SingleFlight

router = Router(tags=["icons and previews"])
IconName = Annotated[
    str, Path(..., description="The piece's name and the ending `.png` or `.webp`.", examples=["$bloom.webp"])
]
_asking: SingleFlight[Asked] = SingleFlight()
_finding: SingleFlight[CachedGrab | None] = SingleFlight()
_waiting: SingleFlight[Grab | JsonResponse] = SingleFlight()


@router.get(
    "/icon/{size}/{path:piece}",
    summary="An icon: PIECE.png, or PIECE.webp, which moves",
    **answers(responses.PICTURE_ANSWERS),
)
async def icon(request: HttpRequest, size: Size, piece: IconName, query: Query[IconQuery]) -> HttpResponseBase:
    return await _picture(request, size, piece, ICONS, query.raw())


@router.get("/preview/{size}/{path:piece}", summary="A preview: PIECE.png", **answers(responses.PICTURE_ANSWERS))
async def preview(request: HttpRequest, size: Size, piece: PictureName) -> HttpResponseBase:
    return await _picture(request, size, piece, PREVIEWS, {})


async def _picture(
    request: HttpRequest, size: str, name: str, families: Mapping[str, Family], query: Mapping[str, str]
) -> HttpResponseBase:
    found = split(name, families)
    if found is None or raw_segments(request) not in (None, 3):
        return not_found(request)
    piece, family = found
    wish = wish_of(family, size, piece, query)
    key = wish.capture_key
    if hit := await _finding.share(key, lambda: find(key)):
        return cached(request, hit, family.hit_max_age)
    try:
        asked = await shared_ask(wish, source=str(family.purpose))
    except Frozen as frozen:
        return await frozen_answer(frozen)
    async with waiting_for(asked.grab):
        return await _answer(request, asked, family)


async def _answer(request: HttpRequest, asked: Asked, family: Family) -> HttpResponseBase:
    if asked.cached:
        return cached(request, asked.grab, family.hit_max_age)
    grab = await shared_wait(asked.grab)
    if isinstance(grab, JsonResponse):
        return responses.copy(grab)
    assert grab.artifact is not None
    headers = responses.grab_headers(grab, "MISS")
    return responses.body(
        request, grab.artifact, {**headers, "Cache-Control": f"public, max-age={family.miss_max_age}"}
    )


def cached(request: HttpRequest, grab: Grab | CachedGrab, max_age: int) -> HttpResponseBase:
    """To where it lies; the bytes themselves for scripts of other sites, which a redirect would cost their rights."""
    assert grab.artifact is not None
    headers = {**responses.grab_headers(grab, "HIT"), "Cache-Control": f"public, max-age={max_age}"}
    if "Origin" in request.headers:
        return responses.body(request, grab.artifact, {**headers, "X-Proxy": "CDN"})
    return responses.elsewhere(request, grab.artifact, headers)


async def shared_ask(wish: GrabRequest, **options: Any) -> Asked:
    """`ask`; a thousand requests of a client in the same moment look once. Raises QueueFull and Throttled."""
    return await _asking.share((wish, payer(), *sorted(options.items())), lambda: sync_to_async(ask)(wish, **options))


async def shared_wait(grab: Grab) -> Grab | JsonResponse:
    """The settled grab; a thousand requests wait as one."""
    return await _waiting.share(grab.pk, lambda: responses.settled(grab))
