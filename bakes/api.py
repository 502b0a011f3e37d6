"""REST of bakes: validate, look up, enqueue, answer."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router

from bakes import services
from bakes.requests import REQUIRED, BakeBody, CompleteBody, IncomingBody, StatusBody, parse
from oven.accounts.callers import Refused, caller_of
from oven.accounts.models import Scope
from oven.http.fields import Schema, required
from oven.http.openapi import Answer, Failure, FieldFailure, answers
from oven.http.params import Body

router = Router(tags=["bakes"])


class Accepted(Schema):
    status: str
    slug: str
    code: str
    message: str
    id: str


class Noted(Schema):
    status: str


BAKE = {
    200: Answer("Accepted; the callback says how it ends. A bake of the same code is replaced.", Accepted),
    400: Answer("A field is missing or wrong: `field`, and `valid` values or bounds.", FieldFailure),
    401: Answer("The secret is wrong, or this Oven has none.", Failure),
}
INCOMING = {
    200: Answer("Shown as incoming for a minute.", Noted),
    400: Answer("A field is missing or wrong.", FieldFailure),
    401: Answer("Sign in or send a bearer token with the scope `bake`.", Failure),
}
REPORT = {200: Answer("Taken note of.", Noted), 400: Answer("`code` is missing.", FieldFailure)}
UNKNOWN = "A report on a tape that waits for none, and comes without a token, is answered alike and changes nothing."


@router.post("/bake", summary="Bake a tape", **answers(BAKE))
async def post_bake(request: HttpRequest, body: Body[BakeBody]) -> dict[str, Any]:
    raw = body.raw()
    required(raw, *REQUIRED)  # the contract: before the secret is looked at
    if not services.secret_matches(raw.get("callbackSecret")):
        raise Refused(401, "callbackSecret: it is not the one that is shared with this Oven.")
    wish = parse(raw)
    bake = await sync_to_async(services.ask)(wish)
    message = f"Tape {bake.code} will be baked"
    return {"status": "accepted", "slug": bake.slug, "code": bake.code, "message": message, "id": bake.public_id}


@router.post("/bake-incoming", summary="Announce a tape", **answers(INCOMING, token=True))
async def bake_incoming(request: HttpRequest, body: Body[IncomingBody]) -> dict[str, Any]:
    (await caller_of(request)).require(Scope.BAKE)
    tape = body.checked("code", "slug")
    await sync_to_async(services.announce)(tape.code, tape.slug, tape.mongo_id, tape.details)
    return {"status": "ok"}


@router.post("/bake-status", summary="The site reports how far it is", description=UNKNOWN, **answers(REPORT))
async def bake_status(request: HttpRequest, body: Body[StatusBody]) -> dict[str, Any]:
    trusted = (await caller_of(request)).may(Scope.BAKE)
    report = body.checked("code")
    await sync_to_async(services.site_reports)(report.code, report.status, report.details, trusted=trusted)
    return {"status": "ok"}


@router.post(
    "/bake-complete",
    summary="The site is done with a tape",
    description=f"{UNKNOWN} The addresses are not taken over: Oven knows its own.",
    **answers(REPORT),
)
async def bake_complete(request: HttpRequest, body: Body[CompleteBody]) -> dict[str, Any]:
    trusted = (await caller_of(request)).may(Scope.BAKE)
    report = body.checked("code")
    await sync_to_async(services.site_completes)(report.code, report.success, report.error, trusted=trusted)
    return {"status": "ok"}
