"""SIGKILL: of one process after the other, or of all at once."""

from __future__ import annotations

import time

import psutil

from chaos.faults.base import Ground

# How likely each is to be next, and how many seconds it lives first: what had no time to begin anything would only be
# begun again, and nothing else would ever be hit in the middle of its work. For the same reason what the supervisor
# keeps running, which needs seconds to be there again, is hit more rarely than what comes and goes with the work.
VICTIMS = {
    "browser": (8, 1.0),
    "page": (22, 0.2),
    "browser's helper": (8, 1.0),
    "ffmpeg": (16, 0.0),
    "bake": (22, 0.1),
    "minifier": (12, 0.2),
    "capture worker": (4, 6.0),
    "bake worker": (2, 6.0),
    "bundle worker": (2, 6.0),
    "light worker": (1, 6.0),
    "scheduler": (1, 8.0),
    "web": (1, 12.0),
    "valkey": (1, 8.0),
    "pieces": (0.5, 8.0),
    "guard": (0.5, 5.0),
    "loader": (0.5, 5.0),
}


FIRST_LIMIT_S = 30.0  # right after a start no process has lived long enough to be killed


def kill(ground: Ground, seconds: float) -> None:
    """Kill one process after the other; go on after the time until at least one was killed."""
    for _ in ground.during(ground.plan.kill_s or seconds, 1 / ground.plan.rate):
        _kill_one(ground)
    for _ in ground.during(FIRST_LIMIT_S, 1 / ground.plan.rate):
        if ground.kills:
            return
        _kill_one(ground)


def _kill_one(ground: Ground) -> None:
    """Of a role that is chosen first: where nobody has it at the moment, nobody is killed."""
    role = ground.rng.choices(list(VICTIMS), [weight for weight, _ in VICTIMS.values()])[0]
    victims = _ripe(ground.instance.roles(), role)
    if victims and ground.instance.kill(ground.rng.choice(victims)):
        ground.kills[role] += 1


def _ripe(roles: dict[str, list[psutil.Process]], role: str) -> list[psutil.Process]:
    born = time.time() - VICTIMS[role][1]
    return [process for process in roles.get(role, []) if process.create_time() <= born]


def power(ground: Ground, seconds: float) -> None:
    for _ in ground.during(seconds, seconds * 0.8):
        continue  # so that there is work to cut off
    ground.notes["killed at once"] += ground.instance.power_cut()
    ground.instance.start()
