"""A PostgreSQL of the chaos' own, on a free port of this machine, that is gone with it."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Self

USERS = ("postgres", "nobody")  # it does not run as root
DEBIANS = Path("/usr/lib/postgresql")


def program(name: str) -> str:
    """Where it is; empty when it is not there."""
    beside = sorted(DEBIANS.glob(f"*/bin/{name}")) if DEBIANS.is_dir() else []
    return shutil.which(name) or (str(beside[-1]) if beside else "")


def missing() -> str:
    """Why there can be none here; empty when there can."""
    lacking = [name for name in ("initdb", "pg_ctl") if not program(name)]
    return f"no {' and no '.join(lacking)} on this machine" if lacking else ""


class Postgres:
    def __init__(self, place: Path) -> None:
        self.place = place
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"postgres://oven@127.0.0.1:{self.port}/postgres"

    def __enter__(self) -> Self:
        self.place.mkdir()
        self.place.parent.chmod(0o711)  # its user has to get through
        if user := _user():
            shutil.chown(self.place, user)
        self._run("initdb", "--auth=trust", "--username=oven", "--encoding=UTF8", "--no-sync")
        self._control("start", "-w", "-o", self._flags(), "-l", str(self.place / "server.log"))
        return self

    def __exit__(self, *_: object) -> None:
        self._control("stop", "-m", "immediate")

    def restart(self) -> None:
        """As after a crash: every connection is cut, and what was written is recovered."""
        self._control("restart", "-m", "immediate", "-w", "-o", self._flags(), "-l", str(self.place / "server.log"))

    def _flags(self) -> str:
        return f"-h 127.0.0.1 -p {self.port} -k {self.place}"

    def _control(self, *args: str) -> None:
        self._run("pg_ctl", *args)

    def _run(self, name: str, *args: str) -> None:
        subprocess.run(
            [program(name), "-D", str(self.place / "data"), *args],
            cwd=self.place,
            user=_user() or None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )


def _user() -> str:
    """Another one than root, when this is root."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in USERS if name in known) if os.geteuid() == 0 else ""
