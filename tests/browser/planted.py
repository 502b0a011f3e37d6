"""Rows for the staff pages: a hostile one of every kind, with markup in every text, and grabs in every state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import models
from django.utils import timezone

HOSTILE = "<img src=x onerror=window.pwned=1>\"'><script>window.pwned=2</script>"
PLAIN = {"public_id", "state", "lane", "format", "reason", "store", "mime", "site", "error_code", "password", "hint"}
FACTS = ("title", "answer", "url", "mode", "ready", "frames")
LISTS = ("page_errors", "console_errors", "failed_requests", "notes")
STATES = ("queued", "retrying", "running", "cancelling", "complete", "failed", "cancelled")


def hostile(model: type[models.Model], **fields: Any) -> Any:
    """A row whose every free text is markup, as long as the column allows."""
    for field in model._meta.concrete_fields:
        if field.name in PLAIN or field.name in fields or field.choices or field.is_relation:
            continue
        if isinstance(field, models.CharField | models.TextField):
            fields[field.name] = HOSTILE[: field.max_length]
        elif isinstance(field, models.PositiveIntegerField | models.PositiveBigIntegerField):
            fields[field.name] = 7
    row = model(**fields)
    row.save()
    return row


def plant() -> dict[str, int]:
    """Return the key of the hostile row of every model that has one."""
    from allauth.mfa.models import Authenticator
    from allauth.socialaccount.models import SocialAccount

    from bakes.models import Bake, Delivery, IncomingTape
    from bundles.models import Bundle, CoreBuild
    from captures.models import FrozenPiece, Grab
    from oven.accounts.models import ApiToken
    from oven.events import publisher, stream
    from oven.storage.models import Artifact

    now = timezone.now()
    user, _ = get_user_model().objects.get_or_create(username="staff", is_staff=True, is_superuser=True)
    ran = {"created_at": now, "started_at": now - timedelta(seconds=3), "ended_at": now, "requested_by": user}
    failed = {"state": "failed", "error_code": "timeout", "attempt": 1, "spec": {"piece": HOSTILE}, **ran}
    artifact = hostile(Artifact, mime="image/webp", width=64, height=64, frames=2)
    grab = hostile(Grab, public_id="g-hostile", format="webp", artifact=artifact, spans=SPANS, **failed)
    core = hostile(
        CoreBuild, public_id="c-hostile", table=[[HOSTILE, 9, 7, HOSTILE]], warnings=[HOSTILE], spans=SPANS, **failed
    )
    bake = hostile(Bake, public_id="b-hostile", video=None, spans=SPANS, **failed)
    delivery = hostile(Delivery, public_id="d-hostile", bake=bake, payload={"code": HOSTILE}, status=500, **failed)
    bundle = hostile(
        Bundle, public_id="u-hostile", core=core, warnings=[HOSTILE], messages=[HOSTILE], spans=SPANS, **failed
    )
    rows = [artifact, grab, core, bake, delivery, bundle]
    rows += [_attempt(job) for job in (grab, core, bake, delivery, bundle)]
    rows += [hostile(FrozenPiece, reason="staff", grab=grab), hostile(IncomingTape)]
    rows.append(hostile(ApiToken, scopes=["grab"], created_by=user))
    Group.objects.get_or_create(name=HOSTILE)
    rows.append(hostile(Authenticator, user=user, type="webauthn", data={"name": HOSTILE}))
    rows.append(hostile(SocialAccount, user=user, extra_data={"name": HOSTILE}))
    for number, state in enumerate(STATES):
        _grab(Grab, state, f"orbit~{number}", artifact if state == "complete" else None, now)
    stream.log("error", f"{HOSTILE} failed")
    publisher.flush()
    return {row._meta.label_lower: row.pk for row in reversed(rows)}  # the first of each


SPANS = {"queue": 120, "open": 300, "ready": 500, "capture": 1500, "encode": 200, HOSTILE: 10}


def _attempt(job: Any) -> Any:
    from oven.jobs.models import Attempt

    return hostile(
        Attempt,
        kind=job.kind,
        job_pk=job.pk,
        job_id=job.public_id,
        number=1,
        outcome="failed",
        error_code="timeout",
        spans=SPANS,
        evidence={**dict.fromkeys(FACTS, HOSTILE), **{key: [HOSTILE] for key in LISTS}},
        log=f"{HOSTILE}\n" * 3,
    )


def _grab(model: Any, state: str, piece: str, artifact: Any, now: Any) -> None:
    ended = now if state in ("complete", "failed", "cancelled") else None
    started = None if state == "queued" else now - timedelta(seconds=2)
    model.objects.create(
        public_id=f"g-{state}",
        piece=piece,
        format="webp",
        out_width=512,
        out_height=512,
        capture_key=piece,
        state=state,
        artifact=artifact,
        started_at=started,
        ended_at=ended,
        due_at=now + timedelta(hours=1) if state in ("queued", "retrying") else None,
        heartbeat_at=now + timedelta(hours=1),
        error_code="page-error" if state == "failed" else "",
        error_message="The piece threw an error while it was drawing." if state == "failed" else "",
        spec={"piece": piece},
    )
