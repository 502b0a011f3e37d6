"""How captures are answered over HTTP: their bytes, where they lie, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse

from captures.cached import CachedGrab
from captures.engine.spec import Format
from captures.models import Grab
from oven.errors import Unavailable
from oven.http.errors import error
from oven.http.fields import Schema
from oven.http.openapi import Answer, Failure, FieldFailure
from oven.jobs.await_job import wait_ended
from oven.jobs.states import State
from oven.jobs.waiters import ABANDONED
from oven.storage.models import Artifact
from oven.storage.stores import stream
from oven.storage.urls import redirect_url

AGAIN_S = 1
VARY = {"Vary": "Origin"}  # scripts of other sites get the bytes where others are redirected


class OutputFile(Schema):
    format: str
    width: int
    height: int
    url: str
    bytes: int
    sha256: str


class Warned(Schema):
    code: str
    message: str


class Several(Schema):
    """The answer to `formats` or `sizes`."""

    grab_id: str
    outputs: list[OutputFile]
    warnings: list[Warned] = []


class GrabFailure(Failure):
    grab_id: str
    code: str = ""
    status_url: str = ""


_IMAGES = tuple(format_.mime for format_ in Format)
_FAILURES = {
    400: Answer("A field is wrong: `field`, and `valid` values or bounds.", FieldFailure),
    500: Answer("The capture failed: `code`, `grabId`.", GrabFailure),
    503: Answer("The queue is full: `Retry-After`.", Failure),
    504: Answer("Not ready in time: `grabId`, `statusUrl`.", GrabFailure),
}
GRAB_ANSWERS = {
    200: Answer(
        "The media. `X-Cache`, `X-Grab-Id`, and `X-Grab-Warnings` (codes of what may be missing or wrong); a "
        "stand-in has `X-Oven-Status`.",
        Several,
        _IMAGES,
    ),
    302: Answer("Captured before: where it lies. `X-Cache: HIT`."),
    401: Answer("Sign in or send a bearer token.", Failure),
    403: Answer("The token lacks the scope; or the address would have to be signed for this `field`.", FieldFailure),
    **_FAILURES,
}
PICTURE_ANSWERS = {
    200: Answer("The picture. `X-Cache: MISS`.", media=_IMAGES),
    302: Answer("Captured before: where it lies. `X-Cache: HIT`."),
    304: Answer("The same as `If-None-Match` names."),
    **_FAILURES,
}


async def settled(grab: Grab) -> Grab | JsonResponse:
    """Return the grab with its file once it is complete; else the answer that says what went wrong.

    Raises Unavailable.
    """
    ended = await wait_ended(grab, settings.OVEN_WAIT_S)
    if ended is None:
        message = f"The grab is not ready after {settings.OVEN_WAIT_S:g} s; it goes on."
        return error(504, message, grabId=grab.public_id, statusUrl=f"/status/{grab.public_id}")
    if ended.state == State.CANCELLED and ended.detail == ABANDONED:  # in the moment in which this request joined it
        raise Unavailable("The grab was cancelled, because whoever had asked for it has left: ask again.", AGAIN_S)
    if ended.state != State.COMPLETE:
        code = "cancelled" if ended.state == State.CANCELLED else ended.error_code
        message = ended.error_message or "The grab was cancelled."
        return error(500, message, grabId=ended.public_id, code=code)
    return await Grab.objects.select_related("artifact").aget(pk=ended.pk)


def copy(response: JsonResponse) -> HttpResponse:
    """An answer of its own for everybody who waited for the same: middleware writes on it."""
    return HttpResponse(response.content, status=response.status_code, headers=dict(response.headers))


def grab_headers(grab: Grab | CachedGrab, cache: str) -> dict[str, str]:
    """Return the headers that name a capture, and say whether it was there already and what may be wrong in it."""
    headers = {"X-Cache": cache, "X-Grab-Id": grab.public_id}
    if grab.warnings:
        headers["X-Grab-Warnings"] = ", ".join(dict.fromkeys(warning["code"] for warning in grab.warnings))
    return headers


def etag(artifact: Artifact) -> str:
    return f'"{artifact.sha256[:32]}"'


def body(request: HttpRequest, artifact: Artifact, headers: Mapping[str, str]) -> HttpResponseBase:
    """The file's bytes, streamed; 304 for who has them already."""
    headers = {**headers, **VARY, "ETag": etag(artifact)}
    if _has(request, artifact):
        return HttpResponse(status=304, headers=headers)
    headers |= {"Content-Length": str(artifact.bytes), "X-Content-Type-Options": "nosniff"}
    response = StreamingHttpResponse(
        stream(artifact.store, artifact.key), content_type=artifact.mime, headers=headers
    )
    response.artifact = artifact  # type: ignore[attr-defined]  # by which the answer can be given again
    return response


def elsewhere(request: HttpRequest, artifact: Artifact, headers: Mapping[str, str]) -> HttpResponseBase:
    """To where the file lies; 304 for who has it already."""
    headers = {**headers, **VARY}
    if _has(request, artifact):
        return HttpResponse(status=304, headers={**headers, "ETag": etag(artifact)})
    location = redirect_url(artifact.store, artifact.key)
    return HttpResponse(status=302, headers={**headers, "Location": location})


def _has(request: HttpRequest, artifact: Artifact) -> bool:
    known = request.headers.get("If-None-Match", "")
    return known.strip() == "*" or etag(artifact) in known
