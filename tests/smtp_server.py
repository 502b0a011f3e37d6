"""A mail server for tests: a real SMTP server on this machine that keeps what it is given."""

from __future__ import annotations

import email
import socketserver
import threading
import time
from email.message import EmailMessage
from email.policy import default
from typing import Self, cast


class Session(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        time.sleep(self.server.delay_s)
        self.say("220 ready")
        for line in self.rfile:
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self.say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.keep(text)
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")

    def keep(self, text: bytes) -> None:
        if self.server.refusals:
            self.say(self.server.refusals.pop(0))
            return
        self.server.mails.append(cast(EmailMessage, email.message_from_bytes(text, policy=default)))
        self.say("250 kept")

    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class Mailbox(socketserver.ThreadingTCPServer):
    """`refusals`: answers to the next mails. `delay_s`: how long it says nothing to who connects."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.mails: list[EmailMessage] = []
        self.refusals: list[str] = []
        self.delay_s = 0.0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
