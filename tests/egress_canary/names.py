"""A small DNS server on loopback, with names that lie, and the resolver that asks it."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading
from collections import Counter
from typing import Self

OPEN = "93.184.215.14"
A, AAAA = 1, 28
# What a name answers, question by question (the last answer stays): one list of records each.
RECORDS: dict[str, list[list[str]]] = {
    "loopback.canary.test": [["127.0.0.1"]],
    "loopback6.canary.test": [["::1"]],
    "private.canary.test": [["10.0.0.1"]],
    "metadata.canary.test": [["169.254.169.254"]],
    "mapped.canary.test": [["::ffff:127.0.0.1"]],
    "mixed.canary.test": [[OPEN, "127.0.0.1"]],
    "mixed6.canary.test": [[OPEN, "::1"]],
    "rebinding.canary.test": [[OPEN], ["127.0.0.1"]],
    "none.canary.test": [[]],
}


class NameServer:
    """Answers A and AAAA questions about RECORDS; `asked` counts them by name."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def resolve(self, host: str, port: int) -> list[str]:
        """In place of the system's resolver. Other names than ours are left to that."""
        if not host.rstrip(".").endswith(".canary.test"):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return list(dict.fromkeys(str(record[4][0]) for record in found))
        return [*self._ask(host.rstrip("."), A), *self._ask(host.rstrip("."), AAAA)]

    def _ask(self, host: str, kind: int) -> list[str]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
            question = labels + b"\0" + struct.pack("!HH", kind, 1)
            client.sendto(struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + question, ("127.0.0.1", self.port))
            answer = client.recv(4096)
        count, place, found = struct.unpack("!H", answer[6:8])[0], 12 + len(question), []
        for _ in range(count):
            size = struct.unpack("!H", answer[place + 10 : place + 12])[0]
            found.append(str(ipaddress.ip_address(answer[place + 12 : place + 12 + size])))
            place += 12 + size
        return found

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                asked, sender = self._socket.recvfrom(512)
                if len(asked) < 12:  # the socket is being closed
                    return
                self._socket.sendto(self._answer(asked), sender)

    def _answer(self, asked: bytes) -> bytes:
        labels, place = [], 12
        while size := asked[place]:
            labels.append(asked[place + 1 : place + 1 + size].decode())
            place += 1 + size
        question = asked[12 : place + 5]
        kind = struct.unpack("!H", question[-4:-2])[0]
        records = [ipaddress.ip_address(text) for text in self._records(".".join(labels), kind)]
        records = [record for record in records if (record.version == 4) == (kind == A)]
        head = asked[:2] + struct.pack("!5H", 0x8180, 1, len(records), 0, 0)
        tail = (struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(record.packed)) + record.packed for record in records)
        return head + question + b"".join(tail)

    def _records(self, name: str, kind: int) -> list[str]:
        answers = RECORDS.get(name, [[]])
        turn = min(self.asked[name], len(answers) - 1)
        if kind == AAAA:  # both questions of a look-up get the same answer
            self.asked[name] += 1
        return answers[turn]
