"""The program, loaded once, that forks a process for each of the supervisor's children that run it.

Django, the site and the engines take more than a second of CPU and 80 MB to load; nine processes that each do so are
what a start consists of, and most of what an idle Oven holds. Forks share both. This process itself does nothing but
load and fork: it has no thread, no connection and no file that matters.

Orders come by a socket, one message each: an Order as JSON, and the descriptor that the fork writes its output to.
The answer is the fork's process id. A fork's parent is the supervisor: the process between the two ends at once, and
the supervisor adopts whatever loses its parent.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import socket
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from supervisor import linux

READY = b"ready"
LONGEST = 16_384  # bytes of a message
PROGRAM = ("captures.browser", "bakes.engine.bake", "bundles.process_engine", "oven_site.asgi", "av")
_ADOPTED_WITHIN_S = 5.0


class Order(NamedTuple):
    """A fork to make: what follows `python` on its command line, and what ends it when its parent is gone."""

    arguments: Sequence[str]
    death_signal: int

    def packed(self) -> bytes:
        return json.dumps(self).encode()


def main(argv: Sequence[str]) -> None:
    """Loads, says so, and forks until the supervisor is gone. Returns only in a fork, when its work is done."""
    supervisor = os.getppid()
    with socket.socket(fileno=int(argv[1])) as channel:
        load()
        _title("supervisor.forking")
        channel.send(READY)
        found = serve(channel)
        if found is None:
            return
    order, output = found
    become(order, output, supervisor)
    run(order.arguments)


def load() -> None:
    """Load what any of the processes needs. Exits where settings are wrong; raises RuntimeError for a thread."""
    gc.disable()  # what is loaded stays, and a look through it would only unshare it
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as problem:
        print(problem, file=sys.stderr)
        sys.exit(os.EX_CONFIG)
    for name in PROGRAM:
        importlib.import_module(name)
    if len(os.listdir("/proc/self/task")) > 1:
        raise RuntimeError("loading has started a thread: no fork of this process would be whole")
    gc.freeze()


def serve(channel: socket.socket) -> tuple[Order, int] | None:
    """Forks for every order that comes. Returns the order and its output in a fork, None when no more will come."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, LONGEST, 1)
        if not message:
            return None
        (output,) = descriptors
        forked = _fork()
        if forked is None:
            return Order(*json.loads(message)), output
        os.close(output)
        channel.send(str(forked).encode())


def _fork() -> int | None:
    """The process id of a fork that is not this one's child; None in that fork."""
    read_end, write_end = os.pipe()
    between = os.fork()
    if between == 0:
        forked = os.fork()
        if forked:
            os.write(write_end, str(forked).encode())
            os._exit(0)
        os.close(read_end)
        os.close(write_end)
        return None
    os.close(write_end)
    with os.fdopen(read_end, "rb") as answer:
        text = answer.read()
    os.waitpid(between, 0)
    return int(text)


def become(order: Order, output: int, supervisor: int) -> None:
    """Makes this fork what a started process would be. Ends it when the supervisor is gone."""
    os.setsid()
    deadline = time.monotonic() + _ADOPTED_WITHIN_S
    while os.getppid() != supervisor:
        if time.monotonic() >= deadline:
            os._exit(1)
        time.sleep(0.001)
    linux.dies_with(supervisor, order.death_signal)()
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    _title(" ".join((sys.executable, *order.arguments)))
    gc.enable()


def run(arguments: Sequence[str]) -> None:
    """What `python ARGUMENTS` does."""
    if arguments[0] == "-m":
        sys.argv = list(arguments[1:])
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        runpy.run_path(arguments[0], run_name="__main__")


def _title(text: str) -> None:
    """The command line that `ps` shows; the environment behind it stays, as the supervisor knows its own by that."""
    os.environ["SPT_NOENV"] = "1"
    with contextlib.suppress(ImportError):
        from setproctitle import setproctitle

        setproctitle(text)


if __name__ == "__main__":
    main(sys.argv)
