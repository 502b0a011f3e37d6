"""The piece site of these tests: its origin is trusted, and what it serves is not."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import unquote, urlsplit

from tests.egress_canary import vectors


class Handler(BaseHTTPRequestHandler):
    owner: VectorSite

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, unquote(urlsplit(self.path).query)
        self.owner.asked.append(path)
        kind = path.split("/")[1]
        getattr(self, f"send_{kind.replace('-', '_')}", self.send_page)(path, query)

    do_POST = do_GET

    def send_page(self, path: str, query: str) -> None:
        link = f"<{self.owner.canary}/link-header.css>; rel=preload; as=style"
        self.send(self.owner.pages.get(path, ""), Link=link if path == "/mechanisms" else "")

    def send_script(self, path: str, query: str) -> None:
        self.send(query, "text/javascript", **{"Service-Worker-Allowed": "/"})

    def send_redirect(self, path: str, query: str) -> None:
        """/redirect/302/3/http://... : so many hops over this site first."""
        _, _, code, depth, target = path.split("/", 4)
        further = f"/redirect/{code}/{int(depth) - 1}/{target}"
        self.send("", status=int(code), Location=target if depth == "1" else further)

    def send_refresh(self, path: str, query: str) -> None:
        self.send("x", Refresh=f"0; url={query}")

    def send_csp(self, path: str, query: str) -> None:
        self.send("<script>1</script>", **{"Content-Security-Policy": f"script-src 'none'; report-uri {query}"})

    def send_xml(self, path: str, query: str) -> None:
        self.send(f'<?xml version="1.0"?><?xml-stylesheet type="text/css" href="{query}"?><a/>', "text/xml")

    def send(self, text: str, kind: str = "text/html; charset=utf-8", status: int = 200, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class VectorSite:
    """`pages` are the documents by path."""

    def __init__(self, canary_port: int) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Owned", (Handler,), {"owner": self}))
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.asked: list[str] = []
        canary = self.canary = f"http://127.0.0.1:{canary_port}"
        self.pages = {
            "/mechanisms": vectors.mechanisms_page(canary),
            "/addresses": vectors.addresses_page(canary_port, self.origin),
            **{f"/{name}": text.format(u=f"{canary}/{name}") for name, text in vectors.TAKEN_AWAY.items()},
        }
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
