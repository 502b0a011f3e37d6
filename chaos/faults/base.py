"""What every fault is given, and what it is."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from chaos.bucket import Bucket
from chaos.instance import Instance
from chaos.plan import Plan
from chaos.postgres import Postgres


@dataclass
class Ground:
    """Where faults strike. `kills`: processes killed in this round, by role; `notes`: what else was done."""

    plan: Plan
    instance: Instance
    bucket: Bucket
    postgres: Postgres | None
    rng: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def during(self, seconds: float, every_s: float) -> Iterator[None]:
        """Once at a time for so long."""
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline:
            yield
            time.sleep(max(0.0, min(every_s - (time.monotonic() - now), deadline - time.monotonic())))


def always(_ground: Ground) -> str:
    return ""


@dataclass(frozen=True)
class Fault:
    """`strike(ground, seconds)` breaks and mends; `missing(ground)` says why it cannot be had here."""

    name: str
    about: str
    strike: Callable[[Ground, float], None]
    missing: Callable[[Ground], str] = always
