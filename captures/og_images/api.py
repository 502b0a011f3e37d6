"""REST of cards: today's at once where there is one, the last good one where none can be made."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.cache import patch_vary_headers
from ninja import Router

from captures.engine.cards.spec import Layout
from captures.og_images import serializers
from captures.og_images.models import VERSION_CHARS, Card
from captures.og_images.requests import CardQuery, ForceQuery, LayoutQuery
from captures.og_images.services import Asked, ask
from oven.accounts.callers import Caller, caller_of
from oven.accounts.models import Scope
from oven.accounts.throttles import Throttled
from oven.events.stream import epoch_ms
from oven.http.errors import error
from oven.http.openapi import Answer, Failure, FieldFailure, answers
from oven.http.params import Query
from oven.jobs.await_job import wait_ended
from oven.jobs.states import ACTIVE, State
from oven.storage import stores, urls

router = Router(tags=["cards"])
HOUR, DAY, WEEK = "public, max-age=3600", "public, max-age=86400", "public, max-age=604800"
BRIEF = "public, max-age=300"  # what is about to change
NEVER = "no-store"
BLANK = "oven/cards/kidlisp.png"  # the mosaic of no pieces, until there is a first card
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; img-src 'self' data:"
)


class CardFailure(Failure):
    message: str
    card_id: str
    status_url: str
    code: str = ""


PICTURE = {
    200: Answer("A picture that was just made. `X-Cache`, `ETag`.", media=("image/png",)),
    302: Answer("Where the picture lies. `X-Cache: STALE` when it is not of today."),
    304: Answer("The caller has it already (`If-None-Match`)."),
    400: Answer("The layout is unknown: `field`, `valid`.", FieldFailure),
    401: Answer("`force` needs a session or a bearer token.", Failure),
    500: Answer("It could not be made, and there is none from before: `code`, `message`.", CardFailure),
    503: Answer("The same of /kidlisp-backdrop.webp.", CardFailure),
    504: Answer("Not ready in time: `statusUrl`.", CardFailure),
}

# --- KidLisp --------------------------------------------------------------------------------------------------------


@router.get("/kidlisp-og.png", summary="The card of today, at once", **answers(PICTURE))
async def kidlisp_og_png(request: HttpRequest, query: Query[LayoutQuery]) -> HttpResponseBase:
    """Never waits, never fails: the last card there is while today's is made."""
    layout = query.checked().layout
    try:
        asked = await sync_to_async(ask)(layout, source="og")
    except Throttled:  # somebody else's turn to have it made
        asked = None
    if asked is not None and asked.cached:
        return _redirect(asked.card, "CDN", HOUR)
    last = await _last(layout)
    if last is not None:
        return _redirect(last, "STALE", BRIEF)
    headers = {"Location": static(BLANK), "X-Cache": "NONE", "Cache-Control": BRIEF}
    return HttpResponse(status=302, headers=headers)


@router.get("/kidlisp-og", summary="A card, made while you wait", **answers(PICTURE))
async def kidlisp_og(request: HttpRequest, query: Query[CardQuery]) -> HttpResponseBase:
    wanted = query.checked()
    asked = await _ask(request, wanted.layout, wanted.force)
    if asked.cached:
        return _redirect(asked.card, "HIT", HOUR)
    card = await _made(asked)
    if card.state == State.COMPLETE:
        return await _bytes(request, card, "MISS", DAY, **_og_headers(card))
    return await _otherwise(request, card, 500, wanted.force)


@router.get("/kidlisp-og/status", summary="Which card there is, and how to ask for one")
async def kidlisp_og_status(request: HttpRequest) -> JsonResponse:
    return JsonResponse(await sync_to_async(serializers.status)())


@router.get("/kidlisp-og/preview", summary="Leads to /og-preview")
async def kidlisp_og_preview(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=302, headers={"Location": "/og-preview"})


@router.get("/og-preview", summary="A page of all cards")
async def og_preview(request: HttpRequest) -> HttpResponseBase:
    caller = await caller_of(request)
    return await sync_to_async(_page)(request, caller)


def _page(request: HttpRequest, caller: Caller) -> HttpResponse:
    cards = serializers.views()
    context = {"cards": cards, "staff": caller.staff, "busy": any(card.state == "making" for card in cards)}
    response = render(request, "oven/cards.html", context)
    origin = urls.public_origin("art")
    response.headers["Content-Security-Policy"] = f"{PAGE_POLICY} {origin}".strip()
    response.headers["Cache-Control"] = "no-cache"
    patch_vary_headers(response, ["Cookie"])
    return response


# --- notepat and the backdrop ---------------------------------------------------------------------------------------


@router.get("/notepat-og.png", summary="The card of notepat", **answers(PICTURE))
async def notepat_og(request: HttpRequest, query: Query[ForceQuery]) -> HttpResponseBase:
    """Always the picture itself: some crawlers follow no redirects."""
    force = query.checked().force
    asked = await _ask(request, Layout.NOTEPAT, force)
    if asked.cached:
        return await _bytes(request, asked.card, "HIT", WEEK)
    card = await _made(asked)
    if card.state == State.COMPLETE:
        return await _bytes(request, card, "MISS", WEEK)
    return await _otherwise(request, card, 500, force)


@router.get("/kidlisp-backdrop.webp", summary="The backdrop of today", **answers(PICTURE))
async def kidlisp_backdrop_webp(request: HttpRequest, query: Query[ForceQuery]) -> HttpResponseBase:
    return await _backdrop(request, "CDN", 503, query.checked().force)


@router.get("/kidlisp-backdrop", summary="The backdrop of today, and its piece", **answers(PICTURE))
async def kidlisp_backdrop(request: HttpRequest, query: Query[ForceQuery]) -> HttpResponseBase:
    return await _backdrop(request, "HIT", 500, query.checked().force)


async def _backdrop(request: HttpRequest, hit: str, failed: int, force: bool) -> HttpResponseBase:
    asked = await _ask(request, Layout.BACKDROP, force)
    if asked.cached:
        return _redirect(asked.card, hit, HOUR)
    card = await _made(asked)
    if card.state == State.COMPLETE:
        return _redirect(card, "MISS", HOUR)
    return await _otherwise(request, card, failed, force)


# --- what they share ------------------------------------------------------------------------------------------------


async def _ask(request: HttpRequest, layout: Layout, force: bool) -> Asked:
    """`force` makes the card again, from new captures. Raises Refused."""
    caller = await caller_of(request)
    if force:
        caller.require(Scope.GRAB)
    return await sync_to_async(ask)(
        layout, anew=force, recapture=force, source="force" if force else "api", user=caller.user
    )


async def _made(asked: Asked) -> Card:
    """The card once it has ended, or as it is at the end of our patience."""
    if asked.card.state not in ACTIVE:
        return asked.card
    card = await wait_ended(asked.card, settings.OVEN_WAIT_S) or asked.card
    return await Card.objects.select_related("artifact").aget(pk=card.pk)


async def _otherwise(request: HttpRequest, card: Card, failed: int, force: bool) -> HttpResponseBase:
    """No new card: the last good one, unless somebody asked for a new one; else why not."""
    layout = Layout(card.layout)
    last = None if force else await _last(layout)
    if last is not None and layout is Layout.NOTEPAT:
        return await _bytes(request, last, "STALE", BRIEF)
    if last is not None:
        return _redirect(last, "STALE", BRIEF)
    more: dict[str, Any] = {"cardId": card.public_id, "statusUrl": f"/status/{card.public_id}"}
    if card.state in ACTIVE:
        text = f"It is not ready after {settings.OVEN_WAIT_S:g} s; it goes on."
        response = error(504, "The card is not ready yet.", message=text, **more)
    else:
        code = card.error_code or str(card.state)
        text = card.error_message or f"It was {card.state}."
        response = error(failed, "The card could not be made.", message=text, code=code, **more)
    response.headers["Cache-Control"] = NEVER
    return response


async def _last(layout: Layout) -> Card | None:
    return await sync_to_async(lambda: Card.objects.good(layout).first())()


def _redirect(card: Card, cache: str, control: str) -> HttpResponse:
    artifact = card.artifact
    assert artifact is not None
    location = f"{urls.redirect_url(artifact.store, artifact.key)}?v={artifact.sha256[:VERSION_CHARS]}"
    headers = {"Location": location, "X-Cache": cache, "Cache-Control": control, **_piece_header(card)}
    return HttpResponse(status=302, headers=headers)


def _piece_header(card: Card) -> dict[str, str]:
    if card.layout != Layout.BACKDROP or not card.featured:
        return {}
    return {"X-Backdrop-Piece": quote(str(card.featured["code"]))}


def _og_headers(card: Card) -> dict[str, str]:
    headers = {"X-OG-Layout": str(card.layout), "X-OG-Generated": str(epoch_ms(card.ended_at))}
    if card.featured:
        headers["X-OG-Featured"] = quote(str(card.featured["code"]))
    return headers


async def _bytes(request: HttpRequest, card: Card, cache: str, control: str, **headers: str) -> HttpResponseBase:
    artifact = card.artifact
    assert artifact is not None
    tag = f'"{artifact.sha256[:32]}"'
    headers = {"X-Cache": cache, "Cache-Control": control, "ETag": tag, **headers}
    if tag in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    headers["Content-Length"] = str(artifact.bytes)
    body = stores.stream(artifact.store, artifact.key)
    return StreamingHttpResponse(body, content_type=artifact.mime, headers=headers)
