"""REST for those who run Oven: probes and metrics."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from oven.accounts.callers import Refused, caller_of
from oven.accounts.models import Scope
from oven.ops.health import metrics, probes

router = Router(tags=["service"])


async def require_watch(request: HttpRequest) -> None:
    """Raises Refused unless the caller may see what the live page shows."""
    caller = await caller_of(request)
    if Scope.WATCH in caller.scopes:
        return
    if caller.user is None and not caller.token:
        raise Refused(401, "Sign in as staff, or send a bearer token with the scope 'watch'.")
    if caller.user is None or not await sync_to_async(caller.user.has_perm)("jobs.watch"):
        raise Refused(403, "This needs the permission to watch, or a token with the scope 'watch'.")


@router.get("/live", summary="Is this web process up")
async def live(request: HttpRequest) -> dict[str, bool]:
    return {"ok": True}


@router.get("/ready", summary="Can requests be served: database, queue, migrations, workers")
async def ready(request: HttpRequest) -> JsonResponse:
    status, body = await sync_to_async(probes.ready_answer)()
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


@router.get("/pressure", summary="Should more work be sent")
async def pressure(request: HttpRequest) -> JsonResponse:
    status, body = await sync_to_async(probes.pressure_answer)()
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


@router.get("/metrics", summary="Metrics in Prometheus' text format")
async def metrics_text(request: HttpRequest) -> HttpResponse:
    """Always all of it: no part can be picked by parameters."""
    await require_watch(request)
    return HttpResponse(await sync_to_async(metrics.text)(), content_type=CONTENT_TYPE_PLAIN_0_0_4)
