"""What can be broken, by name. A fault strikes for some seconds while there is load, and puts right what it broke."""

from __future__ import annotations

from chaos.faults import carrier, database, disk, messages, processes, store
from chaos.faults.base import Fault, Ground

__all__ = ["FAULTS", "Fault", "Ground", "possible"]

ALL = (
    Fault("kill", "SIGKILL of one process after the other", processes.kill),
    Fault("power", "SIGKILL of everything at once, then a new start", processes.power),
    Fault("flush", "the queue is wiped (FLUSHALL) again and again", carrier.flush),
    Fault("pause", "the queue pauses all clients (CLIENT PAUSE)", carrier.pause),
    Fault("freeze", "the queue's process is stopped (SIGSTOP)", carrier.freeze),
    Fault("full", "the queue takes no writes (maxmemory: OOM command not allowed)", carrier.full),
    Fault("messages", "messages are doubled, held back and reordered", messages.strike),
    Fault("lock", "somebody holds the database's only write lock (SQLite)", database.lock, database.no_sqlite),
    Fault("restart", "the database ends all connections (PostgreSQL)", database.restart, database.no_postgres),
    Fault("clock", "all times of active rows lie an hour off, as after a jump of the clock", database.clock),
    Fault("s3-errors", "every other request to the object store gets a 500", store.errors),
    Fault("s3-slow", "the object store takes 6 s for each request", store.slow),
    Fault("s3-denied", "the object store denies everything", store.denied),
    Fault("disk", "no byte is free below the data directory", disk.strike, disk.no_small_disk),
)
FAULTS = {fault.name: fault for fault in ALL}


def possible(ground: Ground, names: tuple[str, ...]) -> tuple[list[Fault], dict[str, str]]:
    """Those of these names (none: all) that can be had here, and why the others cannot. Raises KeyError."""
    wanted = [FAULTS[name] for name in names] if names else list(ALL)
    why = {fault.name: fault.missing(ground) for fault in wanted}
    return [fault for fault in wanted if not why[fault.name]], {name: text for name, text in why.items() if text}
