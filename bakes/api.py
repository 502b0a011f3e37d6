"""REST of bakes: validate, look up, enqueue, answer."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router

from bakes import services
from bakes.requests import REQUIRED, check_code, parse, require, short
from bakes.schemas import BAKE, COMPLETE, INCOMING, STATUS
from oven.accounts.callers import Refused, caller_of
from oven.accounts.models import Scope
from oven.http.compat import json_body

router = Router(tags=["bakes"])


@router.post("/bake", summary="Bake a tape", openapi_extra=BAKE)
async def post_bake(request: HttpRequest) -> dict[str, Any]:
    body = json_body(request)
    require(body, *REQUIRED)  # the contract: before the secret is looked at
    if not services.secret_matches(body.get("callbackSecret")):
        raise Refused(401, "callbackSecret: it is not the one that is shared with this Oven.")
    wish = parse(body)
    bake = await sync_to_async(services.ask)(wish)
    message = f"Tape {bake.code} will be baked"
    return {"status": "accepted", "slug": bake.slug, "code": bake.code, "message": message, "id": bake.public_id}


@router.post("/bake-incoming", summary="Announce a tape", openapi_extra=INCOMING)
async def bake_incoming(request: HttpRequest) -> dict[str, Any]:
    (await caller_of(request)).require(Scope.BAKE)
    body = json_body(request)
    require(body, "code", "slug")
    code = check_code(body["code"])
    await sync_to_async(services.announce)(
        code, short(body["slug"], 200), short(body.get("mongoId"), 64), short(body.get("details"))
    )
    return {"status": "ok"}


@router.post("/bake-status", summary="The site reports how far it is", openapi_extra=STATUS)
async def bake_status(request: HttpRequest) -> dict[str, Any]:
    trusted = (await caller_of(request)).may(Scope.BAKE)
    body = json_body(request)
    require(body, "code")
    await sync_to_async(services.site_reports)(
        str(body["code"]), str(body.get("status") or ""), str(body.get("details") or ""), trusted=trusted
    )
    return {"status": "ok"}


@router.post("/bake-complete", summary="The site is done with a tape", openapi_extra=COMPLETE)
async def bake_complete(request: HttpRequest) -> dict[str, Any]:
    trusted = (await caller_of(request)).may(Scope.BAKE)
    body = json_body(request)
    require(body, "code")
    success = body.get("success") is True
    await sync_to_async(services.site_completes)(
        str(body["code"]), success, str(body.get("error") or ""), trusted=trusted
    )
    return {"status": "ok"}
