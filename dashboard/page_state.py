"""What the live page is given to start with, and the state that it draws."""

from __future__ import annotations

import json
import re
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.urls import reverse

from bakes import services as bakes
from captures import fields
from captures.engine.spec import Format
from captures.models import FrozenPiece, Grab
from dashboard import runbook
from oven.accounts.roles import is_watcher
from oven.events import progress, snapshot
from oven.events.stream import job_view
from oven.jobs import bulk, queries, registry
from oven.jobs.models import Attempt, Job
from oven.jobs.registry import JobKind
from oven.jobs.states import Lane, State
from oven.ops.health import system_status

RECENT = 48
WAITING = 100
LOG_LINES = 100
STARTED = ("grab", "bake", "bundle", "core")  # kinds that the page has a form for
_PRESETS: dict[str, dict[str, Any]] = {
    "Thumbnail": {"format": "webp", "width": 256, "height": 256, "duration": 4000},
    "Sharp still": {"format": "png", "width": 512, "height": 512, "density": 2},
    "Social loop": {"format": "mp4", "width": 1000, "height": 1000, "fps": 30, "playbackFps": 30},
    "Small GIF": {"format": "gif", "width": 320, "height": 320, "duration": 4000},
}
PRESETS = [{"name": label.lower(), "label": label, "fields": fields} for label, fields in _PRESETS.items()]


def may(user: Any, verb: str, kind: JobKind) -> bool:
    """Whether somebody may `add` (start, requeue) or `change` (cancel, move) a kind of job."""
    meta = kind.model._meta
    return bool(user.is_staff and user.has_perm(f"{meta.app_label}.{verb}_{meta.model_name}"))


def boot(user: Any) -> dict[str, Any]:
    """What the page's script is given to start with."""
    kinds, public = registry.shown(), not is_watcher(user)
    return {
        "state": json.loads(snapshot.page(public)),
        "public": public,
        "may": rights(user),
        "kinds": [_choice(kind.name, kind.model._meta.verbose_name) for kind in kinds],
        "states": [_choice(state, state.label) for state in State],
        "lanes": [_choice(lane, lane.label) for lane in Lane],
        "codes": known_codes(),
        "sources": known_sources(kinds),
        "presets": PRESETS,
        "pieces": known_pieces(),
        "formats": [f.value for f in Format],
        "limits": {
            "side": fields.SIDE,
            "duration": fields.DURATION_MS,
            "fps": fields.FPS,
            "density": fields.DENSITY,
            "quality": fields.QUALITY,
        },
        "pieceOrigin": settings.OVEN_PIECE_ORIGIN,
        "urls": urls(kinds),
        "alertLinks": runbook.links(user),
        "user": str(user) if user.is_authenticated else "",
    }


def rights(user: Any) -> dict[str, Any]:
    kinds = registry.shown()
    return {
        "start": [kind.name for kind in kinds if kind.name in STARTED and may(user, "add", kind)],
        "again": [kind.name for kind in kinds if kind.can_requeue and may(user, "add", kind)],
        "act": [kind.name for kind in kinds if may(user, "change", kind)],
        "freeze": bool(user.is_staff and user.has_perm("captures.delete_frozenpiece")),
        "pin": bool(user.is_staff and user.has_perm("captures.add_pin")),
        "admin": bool(user.is_staff),
    }


def urls(kinds: list[JobKind]) -> dict[str, Any]:
    def changelist(label: str) -> str:
        return reverse(f"admin:{label.lower().replace('.', '_')}_changelist")

    return {
        "state": reverse("live-state"),
        "done": reverse("live-done"),
        "frozenList": reverse("live-frozen"),
        "freeze": reverse("live-freeze"),
        "unfreeze": reverse("live-unfreeze"),
        "log": reverse("live-log"),
        "charts": reverse("live-charts"),
        "vitals": reverse("live-vitals"),
        "bulk": reverse("live-bulk"),
        "pin": "/live/job/{id}/pin",
        "undo": "/live/bulk/{id}/undo",
        "start": "/live/start/{kind}",
        "act": "/live/job/{id}/{action}",
        "admin": {kind.name: changelist(kind.model._meta.label) for kind in kinds},
        "frozen": changelist("captures.frozenpiece"),
    }


def _choice(name: str, label: Any) -> dict[str, str]:
    text = str(label)
    return {"name": str(name), "label": text[:1].upper() + text[1:]}


def known_pieces() -> list[str]:
    """The last ones that were grabbed, for completion."""
    pieces = Grab.objects.filter(state=State.COMPLETE).order_by("-id").values_list("piece", flat=True)[:200]
    return list(dict.fromkeys(pieces))[:40]


def known_codes() -> list[str]:
    """Error codes of the newest attempts."""
    recent = Attempt.objects.exclude(error_code="").order_by("-id").values_list("error_code", flat=True)[:500]
    return sorted(set(recent))


def known_sources(kinds: list[JobKind]) -> list[str]:
    found: set[str] = set()
    for kind in kinds:
        found |= set(kind.model._default_manager.order_by("-id").values_list("source", flat=True)[:200])
    return sorted(source for source in found if re.fullmatch(r"[\w.-]+", source))


def written(public: bool) -> str:
    """The state as JSON; the public is told nothing of people and machines."""
    state = current()
    if public:
        state |= {"bulks": [], "vitals": {**state["vitals"], "workers": []}}
    return json.dumps(state, cls=DjangoJSONEncoder)


def current() -> dict[str, Any]:
    """Running, waiting and recent jobs of all kinds, the frozen list, the log: everything the page shows."""
    kinds = registry.shown()
    workers = {kind.name: queries.workers(kind) for kind in kinds}
    running = [job for kind in kinds for job in queries.running(kind)]
    queues = {kind.name: queries.waiting(kind, WAITING) for kind in kinds}
    recent = sorted((job for kind in kinds for job in queries.recent(kind, RECENT)), key=_ended, reverse=True)
    live: dict[str, Any] = {}
    for kind in kinds:
        live |= progress.read(kind.name, [job.public_id for job in running if job.kind == kind.name])
    return {
        "version": snapshot.version(),
        "uptime": snapshot.uptime_ms(),
        "workers": workers,
        "pools": {kind.pool: workers[kind.name] for kind in kinds},
        "running": [dict(job_view(job)) for job in running],
        "progress": live,
        "waiting": [
            {**job_view(job), "wait": wait}
            for kind in kinds
            for job, wait in _shown_queue(kind, queues[kind.name], workers[kind.name])
        ],
        "waitingCount": sum(map(queries.waiting_count, kinds)),
        "recent": [dict(job_view(job)) for job in recent[:RECENT]],
        "incoming": [tape.code for tape in bakes.incoming()],
        "frozenCount": FrozenPiece.objects.count(),
        "vitals": system_status.current(),
        "bulks": [bulk.view(action) for action in bulk.under_way()],
        "log": progress.recent_log(LOG_LINES),
    }


def _shown_queue(kind: JobKind, queue: list[Any], workers: int) -> list[tuple[Any, int]]:
    return list(zip(queue, queries.waits(kind, queue, workers), strict=True))


def _ended(job: Job) -> Any:
    return job.ended_at
