"""What must hear nothing: it listens on every address of this machine, TCP and UDP, and writes down who called."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import Self

CORS = "Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *\r\nTiming-Allow-Origin: *\r\n"
TYPES = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}


class Canary:
    """`heard` are the paths that were asked for; a call that names none is "tcp" or "udp"."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
        self.port: int = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._udp.bind(("::", self.port))
        for target in (self._accept, self._datagrams):
            threading.Thread(target=target, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for listening in (self._tcp, self._udp):
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            listening.close()

    def take(self) -> set[str]:
        """What was heard since the last look."""
        heard, self.heard = self.heard, []
        return set(heard)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            first = connection.recv(4096)
            found = re.match(rb"[A-Z]+ (?:https?://[^/ ]+)?(/[^ ?]*)", first)
            path = found[1].decode() if found else "tcp"
            self.heard.append(path)
            kind = TYPES.get(path.rpartition(".")[2], "text/plain")
            body = "<svg xmlns='http://www.w3.org/2000/svg'/>" if kind.endswith("xml") else ""
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{CORS}Content-Length: {len(body)}\r\nConnection: close"
            )
            connection.sendall(f"{head}\r\n\r\n{body}".encode())
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):  # what is left of a body, else the answer would be lost with it
                pass

    def _datagrams(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._udp.recvfrom(4096)
                self.heard.append("udp")
