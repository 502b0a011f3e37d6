"""What Oven consists of: its settings for the children, and the children themselves."""

import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from supervisor import linux
from supervisor import valkey as embedded
from supervisor.child import Child, python

ROOT = Path(__file__).resolve().parents[1]

# What a supervisor can run.
ROLES = ("valkey", "web", "pieces", "capture", "bake", "bundle", "light", "scheduler")

# Said by Valkey at every start and stop, and of no use to anybody here.
_VALKEY_ROUTINE = (b"vm.overcommit_memory", b"scheduling shutdown", b"ready to exit")


class Options(NamedTuple):
    """The command line."""

    port: int = 3002
    data: Path = ROOT / "var"
    workers: int = 2
    host: str = "127.0.0.1"
    bakes: int = 2
    roles: tuple[str, ...] = ROLES

    @property
    def pieces_port(self) -> int:
        return self.port + 1

    @property
    def address(self) -> str:
        """Where a person on this machine finds Oven."""
        host = "localhost" if self.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else self.host  # nosec B104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def local_host(self) -> str:
        """Where the supervisor itself reaches the web process."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # nosec B104


def dotenv() -> dict[str, str]:
    """What the project's `.env` says; the settings read it as well, but the environment goes before it.

    Nothing for a scratch instance: it must know nothing of the real one.
    """
    if os.environ.get("OVEN_NO_DOTENV"):
        return {}
    try:
        text = (ROOT / ".env").read_text(errors="replace")
    except OSError:
        return {}
    pairs = (line.strip().removeprefix("export ").partition("=") for line in text.splitlines())
    cut = {name.strip(): value.partition(" #")[0].strip().strip("'\"") for name, _, value in pairs}
    return {name: value for name, value in cut.items() if value and not name.startswith("#")}


def is_set(given: Mapping[str, str], name: str) -> bool:
    """Whether the user chose a value, directly or as the path of a file that holds it."""
    return bool(given.get(name) or given.get(f"{name}_FILE"))


def environment(options: Options, given: Mapping[str, str]) -> dict[str, str]:
    """The children's environment: what was given wins where a user has a say.

    Compiled modules are kept with the data: the program's own directory may be read-only, and without them every
    start compiles for ten seconds.
    """
    chosen = {
        "OVEN_PUBLIC_URL": options.address,
        "OVEN_PIECE_ORIGIN": f"http://127.0.0.1:{options.pieces_port}",
        "REDIS_URL": embedded.url(options.data),
    }
    return {
        **{name: value for name, value in given.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPYCACHEPREFIX": given.get("PYTHONPYCACHEPREFIX") or str(options.data / "cache" / "python"),
        **{name: value for name, value in chosen.items() if not is_set(given, name)},
        "OVEN_DATA": str(options.data),
        "OVEN_PORT": str(options.port),
        "DJANGO_SETTINGS_MODULE": "oven_site.settings",
        "PYTHONUNBUFFERED": "1",
    }


def own_valkey(options: Options, given: Mapping[str, str]) -> bool:
    """Return whether this supervisor runs a Valkey: when the role is asked for and no other server is named."""
    return "valkey" in options.roles and not is_set(given, "REDIS_URL")


def valkey(options: Options) -> Child:
    return Child(
        "valkey",
        embedded.command(options.data),
        env=embedded.ENV,
        hush=_VALKEY_ROUTINE,
        repair=partial(embedded.repair, options.data),
        last=True,  # the others still write to it while they stop
        death_signal=signal.SIGTERM,  # it ends at once, with its data on disk
    )


def manage(name: str, *args: str) -> Child:
    """A child that runs one of Django's commands."""
    return Child(name, python("manage.py", *args), cwd=ROOT, fork=True)


def loader() -> Child | None:
    """What the children that run Oven's own Python are forks of; None where forks cannot be trusted."""
    if not linux.ON_LINUX or not (ROOT / "oven_site").is_dir():
        return None
    return Child("loader", python("-m", "supervisor.forking"), cwd=ROOT)


def services(options: Options) -> list[Child]:
    """Return the children of the chosen roles, except Valkey, in the order in which they are started."""
    children = {
        "web": [_web(options)],
        "pieces": [Child("pieces", python("pieces/serve.py", "--port", str(options.pieces_port)), cwd=ROOT)],
        "capture": [_capture(number, options.workers) for number in range(1, options.workers + 1)],
        "bake": [manage(f"bake-{number}", "bake_worker") for number in range(1, options.bakes + 1)],
        "bundle": [manage("bundle", "bundle_worker")],
        "light": [manage("light", "light_worker")],
        "scheduler": [manage("scheduler", "scheduler")],
    }
    return [child for role, mine in children.items() if role in options.roles for child in mine]


def _capture(number: int, count: int) -> Child:
    """Where there are several workers, the first runs nothing heavy of anonymous callers: its time is for others."""
    lanes = ["--skip-lane", "heavy"] if number == 1 < count else []
    return manage(f"capture-{number}", "capture_worker", *lanes)


def _web(options: Options) -> Child:
    arguments = ["--host", options.host, "--port", str(options.port), "--lifespan", "off"]
    arguments += ["--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "5"]
    arguments += ["--no-proxy-headers"]  # OVEN_TRUSTED_PROXIES is ours
    arguments += ["--http", "oven.http.limits:BoundedProtocol"]
    # Compressing every message for every reader would cost more than all the rest; what readers say is ignored.
    arguments += ["--ws-per-message-deflate", "false", "--ws-max-size", str(64 * 1024)]
    return Child("web", python("-m", "uvicorn", "oven_site.asgi:application", *arguments), cwd=ROOT, fork=True)


def runs_as_root() -> bool:
    return os.geteuid() == 0
