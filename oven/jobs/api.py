"""REST for jobs of every kind."""

from __future__ import annotations

from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, JsonResponse
from ninja import Router
from pydantic import BeforeValidator, Field, WithJsonSchema

from oven.accounts.callers import Caller, caller_of
from oven.accounts.models import Scope
from oven.adminkit.audit import audit_action
from oven.errors import BadRequest
from oven.events.stream import job_view
from oven.http.fields import MAX_LIST, Flag, Note, Schema, listed
from oven.http.openapi import Answer, answers
from oven.http.params import Body
from oven.jobs import bulk
from oven.jobs.filters import TEXT_CHARS, Filter
from oven.jobs.registry import JobKind

router = Router(tags=["jobs"])
Text = Note(TEXT_CHARS)


class Requeue(Schema):
    """Which jobs: those with these ids, or all that match the other fields."""

    ids: Annotated[
        tuple[str, ...],
        BeforeValidator(lambda value: tuple(map(str, listed(value)))),
        WithJsonSchema({"type": "array", "items": {"type": "string"}, "maxItems": MAX_LIST}),
        Field(description="Ids of jobs, of any kind.", examples=[["orbit-1f9c22aa"]]),
    ] = ()
    kind: Annotated[str, Text, Field(description="Only this kind: grab, bake, bundle ...", examples=["grab"])] = ""
    state: Annotated[
        str,
        Text,
        Field(description="Only in this state; `failed` leaves out what was requeued.", examples=["failed"]),
    ] = ""
    source: Annotated[str, Text, Field(description="Only from this source.", examples=["api"])] = ""
    piece: Annotated[str, Text, Field(description="Only if the name contains this text.", examples=["orbit"])] = ""
    code: Annotated[str, Text, Field(description="Only with this error code.", examples=["timeout"])] = ""
    skip_cache: Annotated[
        bool, Flag(), Field(description="Do the work although its result is in the cache.", examples=[False])
    ] = False


@router.post(
    "/api/requeue",
    summary="Requeue jobs that have ended",
    **answers(
        {
            200: Answer("`job`: one job's successor. `bulk`: an action on several, which staff can undo at first."),
            400: Answer("A field is wrong, no matching job has ended, or too many match."),
            401: Answer("Sign in or send a bearer token."),
            403: Answer("The token lacks the scope `steer`."),
        },
        token=True,
    ),
)
async def requeue(request: HttpRequest, body: Body[Requeue]) -> JsonResponse:
    caller = await caller_of(request)
    caller.require(Scope.STEER)
    return JsonResponse(await sync_to_async(_requeue)(caller, body.checked()))


def _may_add(caller: Caller, kind: JobKind) -> bool:
    """Return whether a caller who may steer may start this kind of job: staff need its own permission."""
    meta = kind.model._meta
    return caller.user is None or bool(caller.user.has_perm(f"{meta.app_label}.add_{meta.model_name}"))


def _requeue(caller: Caller, wanted: Requeue) -> dict[str, Any]:
    fields = {name: getattr(wanted, name) for name in ("kind", "state", "source", "piece", "code")}
    if not wanted.ids and not any(fields.values()):
        raise BadRequest("ids", "ids: ids are needed, or a filter.", [*fields, "ids"])
    matching = Filter.parse(fields)
    rows = [matching.rows(kind) for kind in matching.kinds() if kind.can_requeue and _may_add(caller, kind)]
    rows = [found.filter(public_id__in=wanted.ids) for found in rows] if wanted.ids else rows
    found = bulk.requeue(*rows, user=caller.user, skip_cache=wanted.skip_cache)
    who = caller.user or caller.token
    if found.action is not None:
        audit_action(who, found.action, f"{found.action.spec['text']}, by the API")
        return {"bulk": bulk.view(found.action)}
    assert found.job is not None
    audit_action(who, found.job, "requeued by the API")
    return {"job": job_view(found.job)}
