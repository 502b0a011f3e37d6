"""Requests to /health: whether the web process is up, and whether it hangs."""

import contextlib
import os
import signal
import socket
import time
from typing import NamedTuple

from supervisor.child import Process

_CONNECT_S = 0.5  # the supervisor does nothing else meanwhile
_START_S = 60.0  # a process that has not answered yet is given so long
MISSES = 6  # this many in a row: the process hangs


class Address(NamedTuple):
    """Where a web process listens."""

    host: str
    port: int


def healthy(address: Address) -> bool:
    """Return whether /health answers 200."""
    try:
        with _ask(address) as client:
            client.settimeout(2.0)
            return _good(client)
    except OSError:
        return False


def _ask(address: Address) -> socket.socket:
    """Send the request (by hand: http.client would stay in memory for good). Raises OSError."""
    request = f"GET /health HTTP/1.1\r\nHost: localhost:{address.port}\r\nConnection: close\r\n\r\n"
    client = socket.create_connection(address, timeout=_CONNECT_S)
    try:
        client.sendall(request.encode())
    except OSError:
        client.close()
        raise
    return client


def _good(client: socket.socket) -> bool:
    return client.recv(64).split(b" ")[1:2] == [b"200"]


class Watch:
    """Requests /health of one child every `every` seconds, and reads the answer before the next request."""

    def __init__(self, process: Process, address: Address, every: float) -> None:
        self.process = process
        self.due = time.monotonic() + every
        self._address = address
        self._every = every
        self._asked: socket.socket | None = None
        self._pid: int | None = None
        self._since = 0.0
        self._answered = False  # since it was started
        self._missed = 0

    def look(self, now: float) -> bool:
        """Read the last answer and send the next request; False when the child hangs."""
        self.due = now + self._every
        if self.process.pid is None or self.process.pid != self._pid:
            self.close()
            self._pid, self._since, self._answered, self._missed = self.process.pid, now, False, 0
        elif self._take():
            self._answered, self._missed = True, 0
        else:
            self._missed += 1
        if self._pid is not None:
            with contextlib.suppress(OSError):
                self._asked = _ask(self._address)
        return self._missed < MISSES or not (self._answered or now - self._since >= _START_S)

    def _take(self) -> bool:
        if self._asked is None:
            return False
        self._asked.setblocking(False)
        try:
            return _good(self._asked)
        except OSError:
            return False
        finally:
            self.close()

    def kill(self) -> None:
        """Kill the child; the supervisor restarts it like any that died."""
        self._missed = 0
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the open request."""
        if self._asked is not None:
            self._asked.close()
        self._asked = None

    def __str__(self) -> str:
        return f"{self.process.child.name} has not answered /health for {self._every * MISSES:g} s; killing it"
