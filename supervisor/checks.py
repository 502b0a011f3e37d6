"""What must hold before anything is started."""

import contextlib
import errno
import fcntl
import os
import socket
import stat
import time
from pathlib import Path

from supervisor import linux


class Refused(Exception):
    """Oven cannot start; the message says why and what to do."""


def private_directory(path: Path) -> str:
    """Make a directory with mode 700; return a warning if that is impossible. Raises OSError and Refused."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = path.stat().st_mode
    if not mode & 0o077:
        return ""
    if mode & stat.S_ISVTX:
        raise Refused(f"{path} is shared by all accounts; choose a directory of Oven's own with --data DIR")
    with contextlib.suppress(OSError):
        path.chmod(0o700)
    if path.stat().st_mode & 0o077:
        return f"other accounts may read {path} (the database, sessions, keys), and this account cannot change that"
    return ""


def free_port(host: str, port: int, what: str) -> None:
    """Refuse a port that somebody else listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
            probe.bind((host, port))
    except OSError as error:
        raise Refused(_port_problem(error, host, port, what)) from error


def _port_problem(error: OSError, host: str, port: int, what: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} ({what}) is in use by another program; choose another with --port N"
    if error.errno == errno.EACCES:
        return f"port {port} ({what}) needs special rights; choose one above 1023 with --port N"
    return f"cannot listen on {host} port {port} ({what}): {error.strerror or error}"


def take_lock(path: Path, patience: float = 25.0) -> int:
    """Make this process the only Oven on its data directory; the lock lasts as long as the descriptor.

    A supervisor that was killed leaves a guard that holds the lock until all is cleared up: it is waited for.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    while not _locked(fd):
        holder = _holder(fd)
        if holder in linux.processes() or time.monotonic() >= deadline:
            os.close(fd)
            raise Refused(
                f"another Oven (process {holder}) already runs on {path.parent.parent}; "
                "stop it, or choose another directory with --data DIR"
            )
        time.sleep(0.1)
    os.ftruncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd


def _locked(fd: int) -> bool:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _holder(fd: int) -> int:
    text = os.pread(fd, 32, 0)
    return int(text) if text.isdigit() else 0  # bytes: ASCII digits
