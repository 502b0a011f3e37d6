"""REST of keeps: capture and pin, where the newest are, and the pinned files themselves."""

from __future__ import annotations

import hashlib
import time
from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from ninja import Path, Router

from captures.frozen import Frozen
from captures.params import PieceName
from captures.requests import Handling
from oven.accounts.callers import caller_of
from oven.accounts.models import Scope
from oven.errors import BadRequest
from oven.http.errors import error
from oven.http.fields import Schema
from oven.http.openapi import Answer, Failure, FieldFailure, answers
from oven.http.params import Body
from oven.jobs.admission import NotAdmitted
from oven.jobs.await_job import wait_ended
from oven.jobs.states import State
from oven.storage.stores import stream
from oven.storage.views import byte_range
from pins import caller_keys, serializers, services
from pins.ipfs.cid import BadCid, parse
from pins.models import Keep, Pin
from pins.requests import KeepBody, parse_keep

router = Router(tags=["keeps"])
ANSWER_S = 2.0  # between the last new try with a caller's keys and the answer
NOT_YET = "not_yet"  # no try has failed
HINT = "POST /grab-ipfs pins a picture of a piece."
FOR_EVER = "public, max-age=31536000, immutable"
INERT = "default-src 'none'; sandbox"
# A pinned page is a stranger's program: it gets an origin of its own, and may reach nothing.
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "style-src 'unsafe-inline' blob: data:; img-src blob: data:; font-src blob: data:; media-src blob: data:; "
    "worker-src blob: data:; connect-src blob: data:"
)
CidName = Annotated[
    str,
    Path(
        ...,
        description="The CID of the file, in any of its spellings.",
        examples=["bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"],
    ),
]


class Pinned(Schema):
    success: bool
    ipfs_uri: str
    ipfs_cid: str
    piece: str
    format: str
    mime_type: str
    size: int
    grab_id: str
    cached: bool
    grab_duration: int | None = None


class PinFailure(Failure):
    success: bool
    code: str = ""
    grab_id: str = ""
    status_url: str = ""


class NotKept(Failure):
    hint: str = ""


PIN = {
    200: Answer("Pinned.", Pinned),
    400: Answer("A field is wrong, or keys are missing.", FieldFailure),
    401: Answer("Sign in or send a bearer token.", Failure),
    500: Answer("The capture or the pin failed.", PinFailure),
    503: Answer("The queue is full: `Retry-After`.", PinFailure),
    504: Answer("Not pinned in time; it goes on.", PinFailure),
}
REDIRECT = {302: Answer("Where the picture is."), 404: Answer("Nothing is kept.", NotKept)}
FILE = {
    200: Answer("The file. Its CID never names another one."),
    206: Answer("A part of it."),
    304: Answer("Nothing else can be there."),
    400: Answer("This is not a CID.", FieldFailure),
    404: Answer("It is not kept here.", NotKept),
    416: Answer("That range is outside of the file.", Failure),
}


# --- asking ---------------------------------------------------------------------------------------------------------


@router.post("/grab-ipfs", summary="Grab a piece and pin it to IPFS", **answers(PIN, token=True))
async def grab_ipfs(request: HttpRequest, body: Body[KeepBody]) -> JsonResponse:
    deadline = time.monotonic() + settings.OVEN_PIN_WAIT_S
    caller = await caller_of(request)
    caller.require(Scope.GRAB)
    raw = body.raw()
    wish, keys = parse_keep(raw)
    handling = Handling.read(raw)
    try:
        asked = await sync_to_async(services.capture_and_pin)(
            wish,
            skip_cache=handling.skip_cache,
            source=handling.source,
            keep_id=handling.keep_id,
            user=caller.user,
            own_keys=keys is not None,
        )
    except Frozen as frozen:
        return error(500, frozen.message, success=False, code="frozen")
    except NotAdmitted as refused:
        response = error(refused.status, refused.message, success=False)
        response.headers["Retry-After"] = str(refused.retry_after_s)
        return response
    if keys:
        held = caller_keys.Held(keys, deadline - ANSWER_S)
        caller_keys.carry(asked.pin, held, services.KEYS_HELD.total_seconds())
    ended = await wait_ended(asked.pin, deadline - time.monotonic())
    return await sync_to_async(_answer)(asked, ended)


def _answer(asked: services.Asked, pin: Pin | None) -> JsonResponse:
    grab = asked.pin.grab
    assert grab is not None
    if pin is None:
        asked.pin.refresh_from_db()  # a try may have failed
        message = f"It is not pinned after {settings.OVEN_PIN_WAIT_S:g} s; it goes on. {asked.pin.error_message}"
        more = {"grabId": grab.public_id, "statusUrl": f"/status/{asked.pin.public_id}"}
        return error(504, message.rstrip(), success=False, code=asked.pin.error_code or NOT_YET, **more)
    if pin.state != State.COMPLETE:
        code = "cancelled" if pin.state == State.CANCELLED else pin.error_code
        message = pin.error_message or "The pin was cancelled."
        return error(500, message, success=False, code=code, grabId=grab.public_id)
    grab.refresh_from_db()
    return JsonResponse({"success": True, **_record(pin), "grabId": grab.public_id, **_took(asked, grab)})


def _record(pin: Pin) -> dict[str, Any]:
    kept = pin.kept
    assert kept is not None
    return {
        "ipfsUri": f"ipfs://{pin.cid}",
        "ipfsCid": pin.cid,
        "piece": pin.piece,
        "format": pin.format,
        "mimeType": kept.mime,
        "size": kept.bytes,
    }


def _took(asked: services.Asked, grab: Any) -> dict[str, Any]:
    """The capture's milliseconds; a cached one took none."""
    return {"cached": True} if asked.cached else {"cached": False, "grabDuration": grab.duration_ms}


# --- looking --------------------------------------------------------------------------------------------------------


@router.get("/keeps/latest", summary="Where the newest keep's picture is", **answers(REDIRECT))
async def latest(request: HttpRequest) -> HttpResponseBase:
    return _lead(await sync_to_async(Keep.objects.newest)(), "Nothing has been kept yet.")


@router.get("/keeps/latest/{path:piece}", summary="The same of one piece", **answers(REDIRECT))
async def latest_of(request: HttpRequest, piece: PieceName) -> HttpResponseBase:
    keep = await sync_to_async(Keep.objects.newest_of)(piece)
    return _lead(keep, f"Nothing has been kept of {piece[:100]!r}.")


def _lead(keep: Keep | None, nothing: str) -> HttpResponse:
    if keep is None:
        return error(404, nothing, hint=HINT)
    headers = {"Location": keep.url, "Cache-Control": "public, max-age=60", "ETag": f'"{keep.cid}"'}
    return HttpResponse(status=302, headers=headers)


@router.get("/keeps/all", summary="The newest keep of every piece")
async def all_keeps(request: HttpRequest) -> HttpResponseBase:
    response = JsonResponse(await sync_to_async(serializers.all_keeps)())
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    if etag in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "no-cache"
    return response


# --- the files ------------------------------------------------------------------------------------------------------


@router.get("/ipfs/{cid}", summary="A pinned file", **answers(FILE))
async def file(request: HttpRequest, cid: CidName) -> HttpResponseBase:
    try:
        spellings = parse(cid).texts
    except BadCid as bad:
        raise BadRequest("cid", f"cid: {bad}") from None
    keep = await Keep.objects.filter(cid__in=spellings).select_related("artifact").afirst()
    if keep is None:
        return error(404, "This CID is not kept here.", hint=HINT)
    return _file(request, keep)


def _file(request: HttpRequest, keep: Keep) -> HttpResponseBase:
    page = keep.format == "html"
    headers = {
        "ETag": f'"{keep.cid}"',
        "Cache-Control": FOR_EVER,
        "Accept-Ranges": "bytes",
        "Content-Security-Policy": SANDBOX if page else INERT,
        "X-Ipfs-Path": f"/ipfs/{keep.cid}",
    }
    if headers["ETag"] in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    found = byte_range(request.headers.get("Range", ""), keep.bytes)
    if found is None:
        response = error(416, "That range is outside of the file.")
        response.headers["Content-Range"] = f"bytes */{keep.bytes}"
        return response
    start, end = found
    partial = (start, end) != (0, keep.bytes)
    headers["Content-Length"] = str(end - start)
    if partial:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{keep.bytes}"
    body = stream(keep.artifact.store, keep.artifact.key, start, end - start)
    answer = StreamingHttpResponse(body, content_type=keep.mime, status=206 if partial else 200, headers=headers)
    answer.xframe_options_exempt = page  # type: ignore[attr-defined]  # its own sandbox holds in frames as well
    return answer
