"""Round after round: load and a fault, then peace, then a look at every invariant."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count

from django.db import DatabaseError, connections

from chaos import faults, report
from chaos.bucket import Bucket
from chaos.faults import Fault, Ground
from chaos.instance import Instance, NotStarted
from chaos.invariants import Breach, Invariants, breach
from chaos.load import Load
from chaos.monitor import Vigil
from chaos.plan import Plan
from chaos.postgres import Postgres
from chaos.report import Round
from chaos.site import Site
from oven.jobs import registry
from oven.jobs.models import Attempt
from oven.jobs.states import ENDED

HEALTHY_LIMIT_S = 60.0
SETTLE_LIMIT_S = 120.0
LAST_LIMIT_S = 240.0
BROKEN = 1


class Chaos:
    """`run` returns the exit code: 0 when every invariant held in every round."""

    def __init__(self, plan: Plan, instance: Instance, site: Site, bucket: Bucket, postgres: Postgres | None) -> None:
        self.plan, self.instance = plan, instance
        rng = random.Random(plan.seed)
        self.ground = Ground(plan, instance, bucket, postgres, rng)
        self.vigil = Vigil()
        self.load = Load(instance, site, random.Random(plan.seed + 1), lambda: self.vigil.active)
        self.invariants = Invariants(instance, self.vigil, site, bucket)
        self.rounds: list[Round] = []
        self.skipped: dict[str, str] = {}
        self._kills = 0
        self._began = time.monotonic()
        self._before: Counter[str] = Counter()

    def run(self) -> int:
        chosen, self.skipped = faults.possible(self.ground, self.plan.faults)
        report.begin(self.plan, self.skipped)
        breaches = self._all(chosen) if chosen else []
        report.end(self.plan, self.rounds, self.skipped, breaches, self.load, time.monotonic() - self._began)
        return BROKEN if breaches or any(found.breaches for found in self.rounds) else 0

    def _all(self, chosen: list[Fault]) -> list[Breach]:
        """Every round, then what must hold at the end; those breaches are returned."""
        self.instance.start()
        self.vigil.start()
        self.load.start(self.plan.clients)
        try:
            for number, fault in enumerate(self._faults(chosen), 1):
                self.rounds.append(self._round(number, fault))
                report.row(self.rounds[-1])
            self.load.stop()
            self._settle(LAST_LIMIT_S)
            breaches = self.invariants.check(self.load.promises, every_byte=True)
        except NotStarted as error:
            return breach("it does not come up again", [error])
        finally:
            self.vigil.stop()
            connections.close_all()
            left = self.instance.stop()
        return breaches + breach("left after the stop", left) + breach("temporary files", self._temporary())

    def _faults(self, chosen: list[Fault]) -> Iterator[Fault]:
        """In turn, each at least once; if it is kills that are wanted, only those from then on."""
        plan = self.plan
        for number in count():
            first = number < len(chosen)
            over = plan.rounds and number >= plan.rounds
            over = over or (plan.kills and self._kills >= plan.kills and not first)
            if over or (plan.minutes and time.monotonic() - self._began > plan.minutes * 60):
                return
            yield faults.FAULTS["kill"] if plan.kills and not first else chosen[number % len(chosen)]

    def _round(self, number: int, fault: Fault) -> Round:
        self.ground.kills, self.ground.notes = Counter(), Counter()
        before, asked = len(self.load.promises), Counter(self.load.answers)
        began = time.monotonic()
        self.load.open()
        try:
            fault.strike(self.ground, self.plan.strike_s)
        finally:
            self.load.shut()
        self._kills += self.ground.kills.total()
        struck = time.monotonic()
        self.vigil.reset()
        settled = self._settle(SETTLE_LIMIT_S)
        longest = self.vigil.longest_s
        breaches = self.invariants.check(self.load.promises)
        ended = self._ended()
        found = Round(
            number=number,
            fault=fault.name,
            strike_s=struck - began,
            kills=Counter(self.ground.kills),
            notes=Counter(self.ground.notes),
            accepted=len(self.load.promises) - before,
            answers=self.load.answers - asked,
            ended=ended - self._before,
            settle_s=settled,
            longest_orphan_s=longest,
            cleared=self.invariants.cleared,
            breaches=breaches,
        )
        self._before = ended
        return found

    def _settle(self, limit_s: float) -> float:
        """Until everything works again and all has ended, or the limit. Returns seconds."""
        began = time.monotonic()
        self.instance.await_healthy(HEALTHY_LIMIT_S)
        while time.monotonic() - began < limit_s:
            self.vigil.look_again()
            if not self.vigil.active:
                break
        return time.monotonic() - began

    def _ended(self) -> Counter[str]:
        """Rows that have ended, by kind and how; and attempts whose worker was lost."""
        found: Counter[str] = Counter()
        try:
            for kind in registry.kinds():
                rows = kind.model._default_manager.filter(state__in=ENDED)
                for state, code in rows.values_list("state", "error_code"):
                    found[f"{kind.name} {state}{f' {code}' if code else ''}"] += 1
            found["attempts"] = Attempt.objects.count()
            found["attempts lost"] = Attempt.objects.filter(error_code="worker_lost").count()
        except DatabaseError:
            connections.close_all()
        return found

    def _temporary(self) -> list[str]:
        """What processes that were killed have left in the directory for temporary files."""
        return [path.name for path in (self.instance.data.parent / "tmp").glob("*")]
