"""Asks for what the cast says, through the doors that everybody uses, and changes its mind now and then."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field

from django.conf import settings

from bakes import requests as bake_requests
from bakes import services as bakes
from bundles import requests as bundle_requests
from bundles import services as bundles
from captures import frozen
from captures import requests as grab_requests
from captures import services as captures
from captures.models import FrozenPiece
from demo.cast import Scene
from oven.jobs import lifecycle, registry
from oven.jobs.models import DEMO, Job
from oven.jobs.states import ACTIVE, State

MARK = "demo: "
FROZEN_BY_HAND = "never"


@dataclass
class Show:
    """What has been asked for so far. `with_bakes`: the demo's site is open."""

    with_bakes: bool = True
    asked: dict[str, list[int]] = field(default_factory=dict)  # primary keys by kind
    _doomed: list[Job] = field(default_factory=list)  # cancelled once they run
    _codes: list[str] = field(default_factory=list)  # of announced tapes

    def announce(self) -> None:
        """A tape that the next bake will be of."""
        if self.with_bakes:
            self._codes.append(f"demo-{secrets.token_hex(4)}")
            bakes.announce(self._codes[-1], "demo.tape", details="Recorded from a demo piece")

    def play(self, scene: Scene) -> Job | None:
        """Asks; None for a bake without a site. Raises QueueFull."""
        if scene.kind == "bake" and not self.with_bakes:
            return None
        job: Job = getattr(self, f"_{scene.kind}")(scene)
        self.asked.setdefault(job.kind, []).append(job.pk)
        if scene.cancel == "waiting":
            cancel(job)
        elif scene.cancel == "running":
            self._doomed.append(job)
        return job

    def change_minds(self) -> list[str]:
        """Cancels what was to be cancelled while it runs, and does by now."""
        gone = []
        for job in self._doomed:
            job.refresh_from_db(fields=["state"])
            if job.state == State.RUNNING and cancel(job):
                gone.append(str(job))
        self._doomed = [job for job in self._doomed if job.state in ACTIVE and str(job) not in gone]
        return gone

    def states(self) -> Counter[str]:
        """How many are in each state."""
        found: Counter[str] = Counter()
        for kind, pks in self.asked.items():
            rows = registry.get(kind).model._default_manager.filter(pk__in=pks)
            found.update(rows.values_list("state", flat=True))
        return found

    def active(self) -> int:
        states = self.states()
        return sum(states[state] for state in ACTIVE)

    # --- the doors ---

    def _grab(self, scene: Scene) -> Job:
        wish = grab_requests.parse(scene.fields, any_page=True)
        return captures.ask(wish, skip_cache=True, source=DEMO, lane=scene.lane).grab

    def _bake(self, scene: Scene) -> Job:
        if not self._codes:
            self.announce()
        code, site = self._codes.pop(0), settings.OVEN_DEMO_ORIGIN
        wish = bake_requests.parse(
            {
                "mongoId": "demo",
                "slug": "demo.tape",
                "code": code,
                "zipUrl": f"{site}/tapes/{scene.fields['tape']}.zip",
                "callbackUrl": f"{site}/told/{scene.fields['told']}/{code}",
            }
        )
        return bakes.ask(wish, source=DEMO, lane=scene.lane)

    def _bundle(self, scene: Scene) -> Job:
        wish = bundle_requests.parse(scene.fields)
        return bundles.ask(wish, skip_cache=True, source=DEMO, lane=scene.lane).bundle


def freeze_by_hand() -> None:
    """As staff would; nothing is overwritten that is on the list already."""
    if not FrozenPiece.objects.filter(piece=FROZEN_BY_HAND).exists():
        frozen.freeze(FROZEN_BY_HAND, f"{MARK}put on the list by hand")


def cancel(job: Job) -> bool:
    """False when it has ended in the meantime."""
    try:
        lifecycle.cancel(job)
    except lifecycle.StateMismatch:
        return False
    return True
