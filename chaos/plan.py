"""What is to be done: how long, what breaks, and how hard."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import dataclass
from typing import Any

MINUTES = 10.0
STRIKE_S = 15.0
KILLS_A_SECOND = 4.0


@dataclass(frozen=True, slots=True)
class Plan:
    """It ends with the first of `minutes`, `rounds` and `kills` that is reached; 0 is no limit."""

    minutes: float = MINUTES
    rounds: int = 0
    kills: int = 0
    seed: int = 0
    faults: tuple[str, ...] = ()  # in turn; none: all
    strike_s: float = STRIKE_S  # of load with the fault, in every round
    kill_s: float = 0  # the same in rounds of kills, where it is another
    rate: float = KILLS_A_SECOND
    clients: int = 6
    workers: int = 2
    bakes: int = 2
    postgres: bool = False
    json: str = ""
    database: str = ""  # a SQLite file to begin with a copy of; none: an empty one

    @classmethod
    def of(cls, options: dict[str, Any]) -> Plan:
        """From parsed arguments, whoever has parsed them."""
        given = {name: options[name] for name in cls.__slots__}
        given["faults"] = tuple(name for name in (given["faults"] or "").split(",") if name)
        given["seed"] = given["seed"] or secrets.randbelow(10**6) + 1
        return cls(**given)

    def as_arguments(self) -> list[str]:
        given = {name: getattr(self, name) for name in self.__slots__ if name not in ("faults", "postgres")}
        found = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
        found.append(f"--faults={','.join(self.faults)}")
        return [*found, *(["--postgres"] if self.postgres else [])]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--minutes", type=float, default=MINUTES, help=f"begin no round after so many ({MINUTES:g}); 0: no limit")
    add("--rounds", type=int, default=0, help="end after so many rounds")
    add("--kills", type=int, default=0, help="end once so many processes have been killed")
    add("--seed", type=int, default=0, help="of all chances taken (default: another one each time, and printed)")
    add("--faults", default="", help="names, with commas; taken in turn (default: all that there are here)")
    add("--strike-s", type=float, default=STRIKE_S, help=f"seconds of load and fault in a round ({STRIKE_S:g})")
    add("--kill-s", type=float, default=0, help="the same for rounds of kills (default: as --strike-s)")
    add("--rate", type=float, default=KILLS_A_SECOND, help=f"kills a second ({KILLS_A_SECOND:g})")
    add("--clients", type=int, default=6, help="callers that ask at once (6)")
    add("--workers", type=int, default=2, help="captures at once (2)")
    add("--bakes", type=int, default=2, help="bakes at once (2)")
    add("--postgres", action="store_true", help="on a PostgreSQL of its own; needs initdb and pg_ctl")
    add("--json", default="", metavar="FILE", help="keep all figures")
    add(
        "--database",
        default="",
        metavar="FILE",
        help="begin with a copy of this migrated SQLite file (default: migrate)",
    )
