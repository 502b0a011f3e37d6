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
from captures.og_images.schemas import CARD, FORCE, LAYOUT, PICTURE
from captures.og_images.services import Asked, ask
from captures.requests import flag
from oven.accounts.callers import Caller, caller_of
from oven.accounts.models import Scope
from oven.accounts.throttles import Throttled
from oven.errors import BadRequest
from oven.events.stream import epoch_ms
from oven.http.errors import error
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

# --- KidLisp --------------------------------------------------------------------------------------------------------


@router.get("/kidlisp-og.png", summary="The card of today, at once", openapi_extra={**LAYOUT, **PICTURE})
async def kidlisp_og_png(request: HttpRequest) -> HttpResponseBase:
    """Never waits, never fails: the last card there is while today's is made."""
    wanted = request.GET.get("layout", "")
    layout = Layout(wanted) if wanted in serializers.VALID else Layout.MOSAIC
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


@router.get("/kidlisp-og", summary="A card, made while you wait", openapi_extra={**CARD, **PICTURE})
async def kidlisp_og(request: HttpRequest) -> HttpResponseBase:
    wanted = request.GET.get("layout", "featured")
    if wanted not in serializers.VALID:
        text = f"layout: {wanted[:20]!r} is not one of {', '.join(serializers.VALID)}."
        raise BadRequest("layout", text, serializers.VALID)
    layout = Layout(wanted)
    asked = await _ask(request, layout)
    if asked.cached:
        return _redirect(asked.card, "HIT", HOUR)
    card = await _made(asked)
    if card.state == State.COMPLETE:
        return await _bytes(request, card, "MISS", DAY, **_og_headers(card))
    return await _otherwise(request, card, 500)


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


@router.get("/notepat-og.png", summary="The card of notepat", openapi_extra={**FORCE, **PICTURE})
async def notepat_og(request: HttpRequest) -> HttpResponseBase:
    """Always the picture itself: some crawlers follow no redirects."""
    asked = await _ask(request, Layout.NOTEPAT)
    if asked.cached:
        return await _bytes(request, asked.card, "HIT", WEEK)
    card = await _made(asked)
    if card.state == State.COMPLETE:
        return await _bytes(request, card, "MISS", WEEK)
    return await _otherwise(request, card, 500)


@router.get("/kidlisp-backdrop.webp", summary="The backdrop of today", openapi_extra={**FORCE, **PICTURE})
async def kidlisp_backdrop_webp(request: HttpRequest) -> HttpResponseBase:
    return await _backdrop(request, "CDN", failed=503)


@router.get("/kidlisp-backdrop", summary="The backdrop of today, and its piece", openapi_extra={**FORCE, **PICTURE})
async def kidlisp_backdrop(request: HttpRequest) -> HttpResponseBase:
    return await _backdrop(request, "HIT", failed=500)


async def _backdrop(request: HttpRequest, hit: str, failed: int) -> HttpResponseBase:
    asked = await _ask(request, Layout.BACKDROP)
    if asked.cached:
        return _redirect(asked.card, hit, HOUR)
    card = await _made(asked)
    if card.state == State.COMPLETE:
        return _redirect(card, "MISS", HOUR)
    return await _otherwise(request, card, failed)


# --- what they share ------------------------------------------------------------------------------------------------


async def _ask(request: HttpRequest, layout: Layout) -> Asked:
    """`force` makes the card again, from new captures. Raises Refused."""
    caller = await caller_of(request)
    force = flag(request.GET.dict(), "force")
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


async def _otherwise(request: HttpRequest, card: Card, failed: int) -> HttpResponseBase:
    """No new card: the last good one, unless somebody asked for a new one; else why not."""
    layout = Layout(card.layout)
    last = None if flag(request.GET.dict(), "force") else await _last(layout)
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
