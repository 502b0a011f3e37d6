"""Rows of every kind, as many as wanted, that have ended where they can. For tests of every list at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils import timezone

from bakes.models import Bake, Delivery, IncomingTape
from bundles.models import Bundle, CoreBuild
from captures.models import Card, FrozenPiece, Grab, ScreenshotPreset
from oven.accounts.models import ApiToken, SignIn
from oven.egress.models import EgressException
from oven.jobs.models import Attempt, BulkAction
from oven.jobs.states import State
from oven.ops.retention.models import RetentionRule
from oven.storage.models import Artifact
from pins.models import Keep, Pin

SPEC = {"piece": "orbit", "format": "png", "width": 64, "height": 64}


def one_of_each(number: int) -> list[Model]:
    """A row of every kind, that points to the others where it can."""
    now = timezone.now()
    ended = {"state": State.FAILED, "ended_at": now, "error_code": "timeout", "source": "test"}
    user = get_user_model().objects.create_user(f"user{number}")
    art = Artifact.objects.create(key=f"oven/grabs/{number}.png", mime="image/png", bytes=1, sha256=f"{number:064}")
    grab = Grab.objects.create(
        public_id=f"grab-{number}",
        piece=f"piece{number}",
        format="png",
        capture_key=f"key-{number}",
        out_width=64,
        out_height=64,
        spec={**SPEC, "piece": f"piece{number}"},
        **{"artifact": art, "requested_by": user, "requeued_from": Grab.objects.first(), "attempt": 1, **ended},
    )
    code = f"tape{number}"
    made: dict[str, Any] = {"code": code, "slug": code, "mongo_id": code, "zip_url": "http://x", "video": art}
    bake = Bake.objects.create(public_id=f"bake-{number}", thumbnail=art, requested_by=user, **made, **ended)
    core = CoreBuild.objects.create(public_id=f"core-{number}", tree=code, **ended)
    kind = ContentType.objects.get_for_model(Grab)
    return [
        *(user, art, grab, bake, core),
        Delivery.objects.create(public_id=f"delivery-{number}", bake=bake, url="http://x", payload={}, **ended),
        IncomingTape.objects.create(code=code, slug=code),
        FrozenPiece.objects.create(piece=f"piece{number}", reason="staff", grab=grab),
        Bundle.objects.create(
            public_id=f"bundle-{number}", piece=f"piece{number}", capture_key=code, core=core, artifact=art, **ended
        ),
        Attempt.objects.create(kind="grab", job_pk=grab.pk, job_id=grab.public_id, number=1, worker="w"),
        BulkAction.objects.create(public_id=f"bulk-{number}", action="cancel", requested_by=user, **ended),
        ApiToken.objects.create(name=f"token{number}", digest=f"{number}", scopes=["grab"], created_by=user),
        SignIn.objects.create(user=user, name=user.username, outcome="success", how="link", client="192.0.2.7"),
        Group.objects.create(name=f"group{number}"),
        Authenticator.objects.create(user=user, type="webauthn", data={"name": f"key {number}"}),
        SocialAccount.objects.create(user=user, provider="https://id.example", uid=f"{number}"),
        *_pictures(number, grab, ended),
        EgressException.objects.create(
            pattern=f"10.0.0.{number}", owner=user, reason="a test", expires_at=now + timedelta(days=1)
        ),
        RetentionRule.objects.update_or_create(kind="grab", defaults={"keep_days": 90})[0],
        LogEntry.objects.create(
            user=user, content_type=kind, object_id=str(grab.pk), object_repr=str(grab), action_flag=CHANGE
        ),
    ]


def _pictures(number: int, grab: Grab, ended: dict[str, Any]) -> list[Model]:
    """What is made of grabs."""
    art = grab.artifact
    cid = f"bafkrei{number:052}"
    shared = {"piece": grab.piece, "grab": grab, "artifact": art, "format": "png", "backend": "local"}
    keep = Keep.objects.create(cid=cid, mime="image/png", bytes=1, sha256=f"{number:064}", **shared)
    day = timezone.now().date()
    return [
        keep,
        Pin.objects.create(
            public_id=f"pin-{number}", source_id=grab.public_id, filename="a.png", kept=art, **shared, **ended
        ),
        Card.objects.create(
            public_id=f"card-{number}", layout="mosaic", day=day, key=f"og/{number}.png", artifact=art, **ended
        ),
        ScreenshotPreset.objects.create(
            name=f"preset{number}", label=f"Preset {number}", width=64, height=64, category="phone"
        ),
    ]
