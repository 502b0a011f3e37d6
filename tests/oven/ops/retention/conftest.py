"""Ended jobs of any age with all that belongs to them, in stores of the test's own."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from oven.jobs import lifecycle
from oven.jobs.models import Attempt
from oven.ops.retention.models import RetentionRule
from oven.storage import stores
from oven.storage.models import Artifact
from tests.bakes.conftest import bake, site
from tests.support import finished, picture

__all__ = ["bake", "site"]


@pytest.fixture
def place(settings: Any, tmp_path: Path) -> Path:
    """The directory of both stores."""
    changed = {
        name: {**settings.STORAGES[name], "OPTIONS": {**settings.STORAGES[name]["OPTIONS"], "location": str(at)}}
        for name, at in (("art", tmp_path / "files" / "art"), ("blobs", tmp_path / "files" / "blobs"))
    }
    settings.STORAGES = {**settings.STORAGES, **changed}
    return tmp_path / "files"


@pytest.fixture
def present(place: Path) -> Callable[[], set[str]]:
    """What lies in the stores: "art/oven/posters/..."."""
    return lambda: {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}


def age(job: Any, days: float) -> Any:
    """As if it and its attempts had ended so many days ago."""
    moment = timezone.now() - timedelta(days=days)
    fields: dict[str, Any] = {"ended_at": moment}
    if hasattr(job, "expires_at"):
        fields["expires_at"] = moment + timedelta(days=30)
    type(job).objects.filter(pk=job.pk).update(**fields)
    Attempt.objects.filter(kind=job.kind, job_pk=job.pk).update(ended_at=moment)
    job.refresh_from_db()
    return job


@pytest.fixture
def old_grab(place: Path, grab: Any, tmp_path: Path) -> Any:
    """`old_grab(days=100, piece="orbit")`: complete, with its file and its poster."""

    def make(days: float = 100, **fields: Any) -> Any:
        row = finished(grab(skip_cache=True, **fields), tmp_path / "scratch")
        row.poster = f"oven/posters/{row.public_id}.webp"
        row.save(update_fields=["poster"])
        stores.keep_bytes(b"poster", row.poster, "image/webp")
        return age(row, days)

    return make


@pytest.fixture
def failed_grab(place: Path, grab: Any) -> Any:
    """With the last frame of its attempt."""

    def make(days: float = 100, **fields: Any) -> Any:
        row: Any = lifecycle.claim("grab", grab(**fields).pk, "test:1:1")
        row = lifecycle.fail(row, "hung", "It hangs.", retry=False)
        key = f"oven/attempts/{row.public_id}-1.png"
        stores.keep_bytes(b"last frame", key, "image/png")
        Attempt.objects.filter(job_id=row.public_id).update(last_frame=key)
        return age(row, days)

    return make


@pytest.fixture
def old_bake(place: Path, bake: Any, tmp_path: Path) -> Any:
    """With its video, and the message to the site delivered: `old_bake("code", days=400)`."""

    def make(code: str = "abc123", days: float = 400, delivered: bool = True) -> Any:
        row: Any = lifecycle.claim("bake", bake(code).pk, "test:1:1")
        video = stores.keep(picture(tmp_path / "v"), f"tapes/{code}.mp4", "video/mp4", store="blobs")
        row = lifecycle.finish(row, {"queue": 1}, video=video)
        if delivered:
            message: Any = lifecycle.claim("delivery", row.deliveries.get().pk, "test:1:1")
            age(lifecycle.finish(message, {}), days)
        return age(row, days)

    return make


@pytest.fixture
def rule(db: None) -> Any:
    """`rule("grab", days=10)` and nothing else is limited."""

    def limit(kind: str, days: int | None = None, rows: int | None = None) -> RetentionRule:
        RetentionRule.objects.exclude(kind=kind).update(keep_days=None, keep_rows=None)
        RetentionRule.objects.filter(kind=kind).update(keep_days=days, keep_rows=rows)
        return RetentionRule.objects.get(kind=kind)

    return limit


def retention(*args: str) -> list[str]:
    """The command's lines, but for the first."""
    out = io.StringIO()
    call_command("retention", *args, stdout=out)
    return out.getvalue().splitlines()[1:]


def artifact_keys() -> set[str]:
    return set(Artifact.objects.values_list("key", flat=True))
