"""REST of bundles: validate, look up, enqueue, answer."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.utils import timezone
from ninja import Path, Router
from pydantic import Field

from bundles import services, source_tree
from bundles.engine.device import device_page
from bundles.models import Bundle, CoreBuild
from bundles.requests import BundleQuery, OpenQuery, named, parse
from bundles.sse import HEADERS as STREAM_HEADERS
from bundles.sse import events, refusal
from captures.requests import parse as parse_grab
from oven.accounts.callers import Caller, caller_of
from oven.accounts.models import Scope
from oven.accounts.throttles import Throttled
from oven.adminkit.audit import audited
from oven.errors import BadRequest
from oven.http.errors import error
from oven.http.fields import Schema
from oven.http.openapi import Answer, Failure, FieldFailure, answers
from oven.http.params import Query
from oven.jobs.admission import NotAdmitted
from oven.jobs.await_job import wait_ended
from oven.jobs.states import State
from oven.jobs.waiters import waiting_for
from oven.storage.stores import stream

router = Router(tags=["bundles"])
RETRY_AFTER_S = 30
# An opened bundle is a stranger's program: it gets an origin of its own, and may reach nothing.
SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "style-src 'unsafe-inline' blob: data:; img-src blob: data:; font-src blob: data:; media-src blob: data:; "
    "worker-src blob: data:; connect-src blob: data:"
)
USAGE = {
    "kidlisp": "/bundle-html?code=bloom",
    "javascript": "/bundle-html?piece=orbit",
}


class BundleFailure(Failure):
    job_id: str = ""
    code: str = ""
    status_url: str = ""


class BundleView(Schema):
    """With `format=json`; the keys about the source are those of KidLisp programs."""

    filename: str
    content: str
    size_kb: Annotated[int, Field(alias="sizeKB")]
    progress: list[str]
    source_code: str | None = None
    author_handle: str | None = None
    user_code: str | None = None
    pack_date: str | None = None
    dep_count: int | None = None


class Packed(Schema):
    commit: str
    elapsed: int
    file_count: int
    key: str


BUNDLE = {
    200: Answer(
        "The bundle; with `format=stream` its progress as events, `complete` or `error` the last.",
        BundleView,
        ("text/html", "application/octet-stream", "text/event-stream"),
    ),
    400: Answer("Neither piece nor code is named, or a field is wrong.", FieldFailure),
    404: Answer("There is no such piece or program.", BundleFailure),
    500: Answer("It could not be bundled: `code`.", BundleFailure),
    503: Answer("The queue is full: `Retry-After`.", Failure),
    504: Answer("Not ready in time: `jobId`, `statusUrl`.", BundleFailure),
}
PREWARM = {
    200: Answer("The runtime is packed: `commit`, `elapsed` (ms), `fileCount`.", Packed),
    401: Answer("Sign in or send a bearer token with the scope `bundle`.", Failure),
    500: Answer(
        "It could not be packed, or does not run offline: the last good one stays in service.", BundleFailure
    ),
    504: Answer("Not ready in time; it goes on.", BundleFailure),
}
BundleId = Annotated[str, Path(..., description="The id of a finished bundle.", examples=["orbit-1a2b3c4d"])]


@router.get("/bundle-html", summary="A piece as one HTML file", **answers(BUNDLE))
@router.get("/pack-html", summary="The same, by its newer name", operation_id="pack_html", **answers(BUNDLE))
async def bundle_html(request: HttpRequest, query: Query[BundleQuery]) -> HttpResponseBase:
    raw = query.raw()
    if raw.get("mode") == "device":
        return _device(raw)
    if not named(raw):
        return error(400, "piece or code is needed.", field="piece", usage=USAGE)
    wanted = query.checked()
    caller = await caller_of(request)
    if wanted.format == "stream":
        return await _stream(wanted, caller)
    if wanted.format == "html" and wanted.inline and (elsewhere := _own_origin(request)):
        return elsewhere
    return await _answer(wanted, caller)


async def _answer(wanted: BundleQuery, caller: Caller) -> HttpResponseBase:
    asked = await _ask(wanted, caller)
    bundle: Bundle | None = asked.bundle
    if not asked.cached:
        async with waiting_for(asked.bundle):
            bundle = await wait_ended(asked.bundle, settings.OVEN_BUNDLE_WAIT_S)
    if bundle is None:
        message = f"The bundle is not ready after {settings.OVEN_BUNDLE_WAIT_S:g} s; it goes on."
        return error(504, message, jobId=asked.bundle.public_id, statusUrl=f"/status/{asked.bundle.public_id}")
    if bundle.state != State.COMPLETE:
        return _failed(bundle)
    bundle = await Bundle.objects.select_related("artifact").aget(pk=bundle.pk)
    cache = "HIT" if asked.cached else "MISS"
    if wanted.format in ("json", "base64"):
        return _json(bundle, cache)
    return _file(bundle, cache, inline=wanted.inline)


async def _ask(wanted: BundleQuery, caller: Caller) -> services.Asked:
    """`nocache` and `rebake` skip the cache for those who may; others get what there is."""
    skip = (wanted.nocache or wanted.rebake) and caller.may(Scope.BUNDLE)
    return await sync_to_async(services.ask)(wanted.request(), skip_cache=skip, user=caller.user)


def _failed(bundle: Bundle) -> HttpResponse:
    code = "cancelled" if bundle.state == State.CANCELLED else bundle.error_code
    status = 404 if code == "not_found" else 500
    return error(status, bundle.error_message or "The bundle was cancelled.", code=code, jobId=bundle.public_id)


def _device(raw: dict[str, Any]) -> HttpResponse:
    """A small page that is one frame on the live piece."""
    if not named(raw):
        return HttpResponse("piece or code is needed.", content_type="text/plain", status=400)
    try:
        wish = parse(raw)
    except BadRequest as bad:
        return HttpResponse(bad.message, content_type="text/plain", status=400)
    address = parse_grab({"piece": wish.name, "density": wish.density or 1}).url
    headers = {"Cache-Control": "public, max-age=60", "Content-Security-Policy": _device_policy()}
    return HttpResponse(device_page(address, wish.name), content_type="text/html; charset=utf-8", headers=headers)


def _device_policy() -> str:
    return f"default-src 'none'; style-src 'unsafe-inline'; frame-src {settings.OVEN_PIECE_ORIGIN}"


def _file(bundle: Bundle, cache: str, inline: bool) -> HttpResponseBase:
    artifact = bundle.artifact
    assert artifact is not None
    headers = {
        "X-Cache": cache,
        "Content-Length": str(artifact.bytes),
        "Cache-Control": "no-cache" if bundle.is_device else "public, max-age=3600",
        "Content-Security-Policy": SANDBOX,
        "ETag": f'"{artifact.sha256[:32]}"',
    }
    if not inline:
        plain = bundle.filename.encode("ascii", "replace").decode().replace('"', "'")
        headers["Content-Disposition"] = (
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(bundle.filename)}"
        )
    kind = "application/octet-stream" if bundle.is_device else "text/html; charset=utf-8"
    response = StreamingHttpResponse(stream(artifact.store, artifact.key), content_type=kind, headers=headers)
    response.xframe_options_exempt = True  # type: ignore[attr-defined]  # its own sandbox holds in frames as well
    return response


def _own_origin(request: HttpRequest) -> HttpResponse | None:
    """A bundle that is opened as a page belongs on an origin of its own, where one is configured."""
    own = str(settings.OVEN_BUNDLE_ORIGIN).rstrip("/")
    if not own or f"{request.scheme}://{request.get_host()}" == own:
        return None
    return HttpResponseRedirect(f"{own}{request.get_full_path()}")


# --- JSON and the event stream --------------------------------------------------------------------------------------


def _json(bundle: Bundle, cache: str) -> HttpResponseBase:
    facts: dict[str, Any] = {"filename": bundle.filename, "sizeKB": bundle.size_kb, "progress": bundle.messages}
    if bundle.is_program:
        facts |= {
            "sourceCode": bundle.source_code,
            "authorHandle": bundle.author_handle,
            "userCode": bundle.user_code or None,
            "packDate": bundle.pack_date,
            "depCount": bundle.dep_count,
        }
    headers = {"X-Cache": cache}
    return StreamingHttpResponse(with_content(facts, bundle), content_type="application/json", headers=headers)


async def with_content(facts: dict[str, Any], bundle: Bundle) -> AsyncIterator[bytes]:
    """The facts as JSON, with the file's base64 as `content`, in pieces: the web process holds no whole bundle."""
    import json

    artifact = bundle.artifact
    assert artifact is not None
    yield json.dumps(facts).encode()[:-1] + b', "content": "'
    rest = b""
    async for chunk in stream(artifact.store, artifact.key):
        rest += chunk
        whole = len(rest) - len(rest) % 3
        yield base64.b64encode(rest[:whole])
        rest = rest[whole:]
    yield base64.b64encode(rest) + b'"}'


async def _stream(wanted: BundleQuery, caller: Caller) -> HttpResponseBase:
    """Always 200: what goes wrong is an event."""
    try:
        asked = await _ask(wanted, caller)
    except (NotAdmitted, Throttled) as refused:
        when = "" if isinstance(refused, Throttled) else f" Try again in {refused.retry_after_s} s."
        body = refusal(refused.message + when)
        return StreamingHttpResponse(body, content_type="text/event-stream", headers=STREAM_HEADERS)
    body = events(asked, settings.OVEN_BUNDLE_WAIT_S, with_content)
    return StreamingHttpResponse(body, content_type="text/event-stream", headers=STREAM_HEADERS)


# --- opening, prewarm and status ------------------------------------------------------------------------------------


@router.get("/bundles/{bundle_id}", summary="A finished bundle, opened in a sandbox", include_in_schema=True)
async def open_bundle(request: HttpRequest, bundle_id: BundleId, query: Query[OpenQuery]) -> HttpResponseBase:
    if elsewhere := _own_origin(request):
        return elsewhere
    bundle = await Bundle.objects.select_related("artifact").filter(public_id=bundle_id).afirst()
    if bundle is None or bundle.artifact is None:
        return error(404, f"There is no bundle {bundle_id[:140]!r}.", field="bundleId")
    return _file(bundle, "HIT", inline=not (bundle.is_device or query.checked().download))


@router.post("/bundle-prewarm", summary="Pack the runtime again", **answers(PREWARM, token=True))
async def prewarm(request: HttpRequest) -> HttpResponseBase:
    caller = await caller_of(request)
    caller.require(Scope.BUNDLE)
    started = timezone.now()
    build = await sync_to_async(services.build_core)(source="prewarm", user=caller.user)
    await audited(caller, build, "asked for by the API")
    ended = await wait_ended(build, settings.OVEN_BUNDLE_WAIT_S)
    if ended is None:
        return error(504, "The runtime is still being packed; it goes on.", jobId=build.public_id)
    if ended.state != State.COMPLETE:
        return error(500, ended.error_message or "The build was cancelled.", code=ended.error_code or "cancelled")
    elapsed = round((timezone.now() - started).total_seconds() * 1000)
    return JsonResponse({"commit": ended.version, "elapsed": elapsed, "fileCount": ended.files, "key": ended.key})


@router.get(
    "/bundle-status",
    summary="The runtime in service",
    **answers({200: Answer("The runtime in service, its sizes and warnings.")}),
)
async def bundle_status(request: HttpRequest) -> JsonResponse:
    caller = await caller_of(request)
    return JsonResponse(await sync_to_async(_status)(caller.watches or Scope.BUNDLE in caller.scopes))


def _status(private: bool) -> dict[str, Any]:
    core = CoreBuild.objects.in_service()
    last = CoreBuild.objects.exclude(state=State.CANCELLED).order_by("-id").first()
    tree = source_tree.source_tree()
    failed = last if last and last.state == State.FAILED and last != core else None
    return {
        "cached": core is not None,
        "commit": core.version if core else source_tree.version(),
        "fileCount": core.files if core else 0,
        "acSourceDir": str(tree.root) if private else None,
        "acSourceExists": tree.root.is_dir(),
        "key": core.key if core else None,
        "rawBytes": core.raw_bytes if core else 0,
        "minifiedBytes": core.minified_bytes if core else 0,
        "gzipBytes": core.gzip_bytes if core else 0,
        "buildMs": core.build_ms if core else None,
        "errors": core.errors if core else [],
        "warnings": core.warnings if core else [],
        "lastFailure": failed.error_message if failed else None,
    }
