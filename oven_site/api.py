"""The REST surface: every verb's router, and how errors look."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from ninja import NinjaAPI, Path, Swagger
from ninja.errors import HttpError, ValidationError

from bakes.api import router as bakes_router
from bundles.api import router as bundles_router
from captures.api import router as captures_router
from captures.icons.api import router as icons_router
from captures.og_images.api import router as cards_router
from captures.screenshots.api import router as shots_router
from oven.accounts.callers import Refused, caller_of
from oven.accounts.models import Scope
from oven.accounts.signatures import Unsigned
from oven.accounts.throttles import Throttled
from oven.errors import BadRequest, Unavailable
from oven.events import snapshot
from oven.events.stream import job_view
from oven.http import openapi
from oven.http.errors import error, too_large, too_many, unavailable
from oven.jobs import registry
from oven.jobs.admission import NotAdmitted
from oven.jobs.api import router as jobs_router
from oven.ops.health.api import router as health_router
from pins.api import router as keeps_router

log = logging.getLogger(__name__)
JobId = Annotated[str, Path(..., description="The id of a job, as in `X-Grab-Id`.", examples=["bloom-1a2b3c4d"])]


class OvenAPI(NinjaAPI):
    """Names the bearer token in the document (callers may sign in instead, which Ninja's `auth` cannot say)."""

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        schema = super().get_openapi_schema(**kwargs)
        schema["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        for item in schema["paths"].values():
            for method, operation in item.items():
                openapi.describe(method, operation)
        return schema


api = OvenAPI(
    title="Oven",
    version=settings.VERSION,
    description="Turns live web pieces into media a site can serve.",
    urls_namespace="api",
    docs=Swagger(settings={"showCommonExtensions": True}),  # bounds of parameters
    docs_url="/docs",
    openapi_url="/docs/openapi.json",
)
api.add_router("", captures_router)
api.add_router("", cards_router)
api.add_router("", keeps_router)
api.add_router("", icons_router)
api.add_router("", shots_router)
api.add_router("", bakes_router)
api.add_router("", bundles_router)
api.add_router("", jobs_router)
api.add_router("", health_router)


@api.get("/health", tags=["service"], summary="Is the web process alive")
async def health(request: HttpRequest) -> dict[str, str]:
    return {"status": "ok", "service": "oven", "timestamp": timezone.now().isoformat()}


@api.get("/status", tags=["service"], summary="Bakes and grabs: waiting, running, recent")
async def status(request: HttpRequest) -> HttpResponse:
    caller = await caller_of(request)
    private = caller.watches or Scope.BAKE in caller.scopes
    body = await sync_to_async(snapshot.shared_json)(f"status {private}", lambda: snapshot.state(private))
    return HttpResponse(body, content_type="application/json")


@api.get("/status/{job_id}", tags=["service"], summary="One job of any kind")
async def job_status(request: HttpRequest, job_id: JobId) -> JsonResponse:
    job = await sync_to_async(registry.find)(job_id)
    if job is None:
        return error(404, f"There is no job {job_id[:140]!r}.", field="jobId")
    return JsonResponse(dict(await sync_to_async(job_view)(job)))


@api.exception_handler(BadRequest)
def bad_request(request: HttpRequest, exc: BadRequest) -> JsonResponse:
    more: dict[str, Any] = {"field": exc.field}
    if exc.valid is not None:
        more["valid"] = exc.valid
    return error(400, exc.message, **more)


@api.exception_handler(Refused)
def refused(request: HttpRequest, exc: Refused) -> JsonResponse:
    response = error(exc.status, exc.message)
    if exc.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(Unsigned)
def unsigned(request: HttpRequest, exc: Unsigned) -> JsonResponse:
    return error(403, exc.message, field=exc.field)


@api.exception_handler(Throttled)
def throttled(request: HttpRequest, exc: Throttled) -> JsonResponse:
    return too_many(exc.message, exc.retry_after_s)


@api.exception_handler(NotAdmitted)
def not_admitted(request: HttpRequest, exc: NotAdmitted) -> JsonResponse:
    response = error(exc.status, exc.message, **exc.facts)
    response.headers["Retry-After"] = str(exc.retry_after_s)
    return response


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, exc: ValidationError) -> JsonResponse:
    first: dict[str, Any] = exc.errors[0]
    field = str(first["loc"][-1])
    return error(400, f"{field}: {first['msg']}", field=field)


@api.exception_handler(HttpError)
def http_error(request: HttpRequest, exc: HttpError) -> JsonResponse:
    return error(exc.status_code, str(exc))


@api.exception_handler(RequestDataTooBig)
def body_too_big(request: HttpRequest, exc: RequestDataTooBig) -> JsonResponse:
    """A body that did not say its length."""
    return too_large()


@api.exception_handler(OperationalError)
@api.exception_handler(InterfaceError)
@api.exception_handler(Unavailable)
def passing(request: HttpRequest, exc: Exception) -> JsonResponse:
    return unavailable(request, exc)


@api.exception_handler(Exception)
def unexpected(request: HttpRequest, exc: Exception) -> JsonResponse:
    log.exception("unexpected error on %s", request.path, exc_info=exc)
    return error(500, "Oven failed.", message="The error has been logged.")
